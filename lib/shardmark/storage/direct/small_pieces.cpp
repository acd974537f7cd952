// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/small_pieces.hpp"

#include <fcntl.h>

#include "shardmark/storage/direct/root_writes.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

std::vector<std::byte> packed(const ConstTensorView& elements) {
  std::vector<std::byte> bytes;
  const auto itemsize = static_cast<std::size_t>(element_size(elements.dtype));
  for_each_contiguous_run(elements, [&](const std::byte* from, std::int64_t count) {
    bytes.insert(bytes.end(), from, from + static_cast<std::size_t>(count) * itemsize);
  });
  return bytes;
}

Result<std::int64_t> write_by_root(const PlacedFiles& files, const WrittenTasks& written,
                                   const Communicator& comm) {
  RootWrites writes;
  for (std::size_t i = 0; i < written.tasks.size(); ++i) {
    const WriteTask& task = written.tasks[i];
    if (is_for_root(files, written.entries->entries[task.write->entry], task)) {
      writes.add(files.pieces[written.first + i].address, packed(task.elements));
    }
  }
  for (const ChecksumRun& run : checksum_runs(files, written)) {
    writes.add(run.address, run.bytes);
  }
  return writes.write(files.paths.front(), comm);
}

}  // namespace

std::vector<ChecksumRun> checksum_runs(const PlacedFiles& files, const WrittenTasks& written) {
  std::vector<ChecksumRun> runs;
  if (files.checksums_address < 0 || written.checksums.empty()) {
    return runs;
  }
  const auto& tasks = written.tasks;
  for (std::size_t first = 0; first < tasks.size();) {
    std::size_t end = first + 1;
    while (end < tasks.size() && tasks[end].write->chunk == tasks[end - 1].write->chunk + 1) {
      ++end;
    }
    runs.push_back(
        {first, files.checksums_address + static_cast<std::int64_t>(8 * tasks[first].write->chunk),
         std::as_bytes(written.checksums.subspan(first, end - first))});
    first = end;
  }
  return runs;
}

bool is_for_root(const PlacedFiles& files, const Entry& entry, const WriteTask& task) {
  return files.clients.several() && !files.blocks_apart &&
         (entry.sizes.empty() || entry.kind == EntryKind::object) &&
         task.write->box.sizes == entry.sizes &&
         task.elements.num_bytes() < files.clients.block_bytes;
}

Result<std::int64_t> write_small_pieces(const PlacedFiles& files, const WrittenTasks& written,
                                        const Communicator& comm) {
  if (files.clients.several()) {
    return write_by_root(files, written, comm);
  }
  std::int64_t requests = 0;
  const std::vector<ChecksumRun> runs = checksum_runs(files, written);
  if (runs.empty()) {
    return requests;
  }
  const std::string& path = files.paths.front();
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_WRONLY));
  for (const ChecksumRun& run : runs) {
    SHARDMARK_RETURN_IF_ERROR(write_at(file, path, run.bytes, run.address));
    ++requests;
  }
  return requests;
}

}  // namespace shardmark
