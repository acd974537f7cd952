// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/checkpoint_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/played_steps.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"

namespace shardmark {
namespace {

Error damaged(const std::string& directory, std::string_view why) {
  return {ErrorCode::data_loss, fmt::format("{}: {}", directory, why)};
}

Status check_file_sizes(const OpenCheckpoint& checkpoint) {
  for (const CommitRecord::File& file : checkpoint.record.files) {
    const auto size = file_size(checkpoint.directory + "/" + file.name);
    if (!size) {
      return Error{ErrorCode::data_loss, size.error().message};
    }
    if (*size != file.num_bytes) {
      return damaged(checkpoint.directory, fmt::format("{} has {} bytes, {} were committed",
                                                       file.name, *size, file.num_bytes));
    }
  }
  return {};
}

Status read_manifest(OpenCheckpoint& checkpoint) {
  const CommitRecord& record = checkpoint.record;
  const std::int64_t size = record.files.front().num_bytes;
  if (record.manifest_bytes > size || record.manifest_address > size - record.manifest_bytes) {
    return damaged(checkpoint.directory, "the manifest lies outside the entry file");
  }
  const std::string path = checkpoint.directory + "/" + checkpoint.record.files.front().name;
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  checkpoint.manifest_bytes.resize(static_cast<std::size_t>(record.manifest_bytes));
  SHARDMARK_RETURN_IF_ERROR(
      read_at(file, path, checkpoint.manifest_bytes, record.manifest_address));
  auto manifest = decode_manifest(checkpoint.manifest_bytes);
  if (!manifest) {
    return Error{manifest.error().code,
                 fmt::format("{}: {}", checkpoint.directory, manifest.error().message)};
  }
  checkpoint.manifest = std::move(*manifest);
  if (checkpoint.manifest.save_id != record.save_id || checkpoint.manifest.step != record.step ||
      checkpoint.manifest.version != record.version) {
    return damaged(checkpoint.directory, "COMMIT and manifest are of different saves");
  }
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < record.files.size(); ++i) {
    sizes.push_back(record.files[i].num_bytes);
    if (i >= checkpoint.manifest.files.size() ||
        checkpoint.manifest.files[i] != record.files[i].name) {
      return damaged(checkpoint.directory, "COMMIT and manifest name different files");
    }
  }
  return check_locations(checkpoint.manifest, sizes);
}

/// By its record: sizes, manifest, and every byte of the entry file outside elements.
Status check_contents(OpenCheckpoint& checkpoint) {
  SHARDMARK_RETURN_IF_ERROR(check_file_sizes(checkpoint));
  SHARDMARK_RETURN_IF_ERROR(read_manifest(checkpoint));
  const std::string entry_file = checkpoint.directory + "/" + checkpoint.record.files.front().name;
  SHARDMARK_ASSIGN_OR_RETURN(
      const std::uint64_t hash,
      hash_outside(entry_file, entry_file_elements(checkpoint.manifest), ReadFrom::cache));
  if (hash != checkpoint.record.files.front().outside_hash) {
    return damaged(checkpoint.directory,
                   "the entry file is not as it was committed (outside element data)");
  }
  return {};
}

}  // namespace

Result<OpenCheckpoint> open_checkpoint(const std::string& directory,
                                       std::optional<std::int64_t> step) {
  OpenCheckpoint checkpoint;
  SHARDMARK_ASSIGN_OR_RETURN(checkpoint.directory, find_checkpoint(directory, step));
  SHARDMARK_ASSIGN_OR_RETURN(checkpoint.record, read_commit_record(checkpoint.directory));
  SHARDMARK_RETURN_IF_ERROR(check_contents(checkpoint));
  return checkpoint;
}

Result<OpenCheckpoint> open_played(const std::string& directory, std::optional<std::int64_t> step,
                                   const PlayedWorld& played) {
  OpenCheckpoint checkpoint;
  SHARDMARK_ASSIGN_OR_RETURN(checkpoint.directory, find_played(directory, step));
  SHARDMARK_ASSIGN_OR_RETURN(PlayedMark mark, read_played_mark(checkpoint.directory));
  SHARDMARK_RETURN_IF_ERROR(check_same_play(checkpoint.directory, mark, played));
  checkpoint.record = std::move(mark.record);
  SHARDMARK_RETURN_IF_ERROR(check_contents(checkpoint));
  return checkpoint;
}

Result<std::vector<std::uint64_t>> read_checksums(const std::string& step_directory,
                                                  const Manifest& manifest) {
  std::vector<std::uint64_t> checksums;
  if (manifest.checksums_address < 0) {
    return checksums;
  }
  const std::string path = step_directory + "/" + manifest.files.front();
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  checksums.resize(manifest.entries.num_chunks());
  SHARDMARK_RETURN_IF_ERROR(read_at(file, path, std::as_writable_bytes(std::span(checksums)),
                                    manifest.checksums_address));
  return checksums;
}

}  // namespace shardmark
