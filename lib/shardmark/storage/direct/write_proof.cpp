// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/write_proof.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/space.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"

namespace shardmark {
namespace {

// Smaller chunks may lie in pages that somebody else has written, where a loss leaves no hole.
constexpr std::int64_t shared_page_bytes = 8192;

Error lost(std::string_view what, const std::string& path) {
  return {ErrorCode::io_error,
          fmt::format("{} written without an error but did not reach {}", what, path)};
}

/// True if the task's piece has bytes that nobody writes.
bool is_padded(const StoredPiece& piece, const PlannedWrite& write, const Entry& entry) {
  return piece.sizes != entry.sizes && piece.sizes != write.box.sizes;
}

Status prove_no_holes(const PlacedFiles& files, const WrittenTasks& written) {
  std::map<std::uint64_t, std::set<std::pair<std::int64_t, std::int64_t>>> ranges;  // by file
  for (std::size_t i = 0; i < written.tasks.size(); ++i) {
    const StoredPiece& piece = files.pieces[written.first + i];
    const PlannedWrite& write = *written.tasks[i].write;
    const Entry& entry = written.entries->entries[write.entry];
    if (!is_padded(piece, write, entry)) {
      ranges[piece.file].emplace(piece.address, volume(piece.sizes) * element_size(entry.dtype));
    }
  }
  for (const auto& [file, pieces] : ranges) {
    std::vector<FileRange> list;
    for (const auto& [address, num_bytes] : pieces) {
      list.push_back({files.paths[file], address, num_bytes});
    }
    SHARDMARK_RETURN_IF_ERROR(check_no_holes(files.paths[file], list));
  }
  return {};
}

Status read_back(const PlacedFiles& files, const WrittenTasks& written) {
  std::map<std::uint64_t, FileDescriptor> open;
  StoredChunkHasher hasher;
  for (std::size_t i = 0; i < written.tasks.size(); ++i) {
    const StoredPiece& piece = files.pieces[written.first + i];
    const WriteTask& task = written.tasks[i];
    const Entry& entry = written.entries->entries[task.write->entry];
    if (files.detects_holes && task.elements.num_bytes() > shared_page_bytes &&
        !is_padded(piece, *task.write, entry)) {
      continue;
    }
    if (!open[piece.file]) {
      SHARDMARK_ASSIGN_OR_RETURN(open[piece.file], open_file(files.paths[piece.file], O_RDONLY));
    }
    SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t stored,
                               hasher.hash(open[piece.file], files.paths[piece.file], piece,
                                           element_size(entry.dtype), task.write->box));
    if (stored != xxh3(task.elements)) {
      return lost(fmt::format("'{}': chunk {} was", entry.fqn, to_string(task.write->box)),
                  files.paths[piece.file]);
    }
  }
  return {};
}

/// Calls `take(first task, count, address)` for runs of tasks whose checksums are neighbours.
template <typename Take>
Status for_each_checksum_run(const PlacedFiles& files, const WrittenTasks& written,
                             const Take& take) {
  const auto& tasks = written.tasks;
  for (std::size_t first = 0; first < tasks.size();) {
    std::size_t end = first + 1;
    while (end < tasks.size() && tasks[end].write->chunk == tasks[end - 1].write->chunk + 1) {
      ++end;
    }
    SHARDMARK_RETURN_IF_ERROR(
        take(first, end - first,
             files.checksums_address + static_cast<std::int64_t>(8 * tasks[first].write->chunk)));
    first = end;
  }
  return {};
}

Status read_back_checksums(const PlacedFiles& files, const WrittenTasks& written) {
  if (files.checksums_address < 0 || written.checksums.empty()) {
    return {};
  }
  const std::string& path = files.paths.front();
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  std::vector<std::uint64_t> stored;
  return for_each_checksum_run(
      files, written, [&](std::size_t first, std::size_t count, std::int64_t address) -> Status {
        stored.resize(count);
        SHARDMARK_RETURN_IF_ERROR(
            read_at(file, path, std::as_writable_bytes(std::span(stored)), address));
        if (std::equal(stored.begin(), stored.end(),
                       written.checksums.begin() + static_cast<std::ptrdiff_t>(first))) {
          return {};
        }
        const Entry& entry = written.entries->entries[written.tasks[first].write->entry];
        return lost(fmt::format("the checksum of '{}' was", entry.fqn), path);
      });
}

}  // namespace

Status prove_written(const PlacedFiles& files, const WrittenTasks& written) {
  if (files.detects_holes) {
    SHARDMARK_RETURN_IF_ERROR(prove_no_holes(files, written));
  }
  SHARDMARK_RETURN_IF_ERROR(read_back(files, written));
  return read_back_checksums(files, written);
}

Result<std::int64_t> write_checksums_at(const PlacedFiles& files, const WrittenTasks& written) {
  std::int64_t requests = 0;
  if (files.checksums_address < 0 || written.checksums.empty()) {
    return requests;
  }
  const std::string& path = files.paths.front();
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_WRONLY));
  SHARDMARK_RETURN_IF_ERROR(for_each_checksum_run(
      files, written, [&](std::size_t first, std::size_t count, std::int64_t address) {
        ++requests;
        return write_at(file, path, std::as_bytes(written.checksums.subspan(first, count)),
                        address);
      }));
  return requests;
}

}  // namespace shardmark
