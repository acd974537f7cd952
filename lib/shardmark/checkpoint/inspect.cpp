// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/inspect.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/core/cover.hpp"
#include "shardmark/plan/tables/chunk_numbers.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"

namespace shardmark {

namespace {

/// What a load of everything would refuse: elements in no chunk, or in more than one.
Status check_cover(const CheckpointSummary& checkpoint) {
  const Manifest& manifest = checkpoint.manifest;
  std::vector<Box> boxes;
  for (const Entry& entry : manifest.entries.entries) {
    boxes.clear();
    for (const std::uint64_t c : ChunkNumbers(entry)) {
      boxes.push_back(manifest.chunks.box(c, entry.sizes.ndim()));
    }
    if (volume(entry.sizes) == 0 && boxes.empty()) {
      continue;
    }
    if (const auto defect = find_cover_defect(entry.sizes, boxes)) {
      return Error{ErrorCode::data_loss,
                   fmt::format("{}: '{}': element {} lies in {}", checkpoint.directory, entry.fqn,
                               to_string(defect->at),
                               defect->kind == CoverDefect::Kind::hole ? "no chunk"
                                                                       : "more than one chunk")};
    }
  }
  return {};
}

/// Data files as HDF5 would open them; the entry file was checked when it was opened.
Status check_data_files(const CheckpointSummary& checkpoint, std::vector<ChunkError>& errors) {
  const std::vector<ElementRanges> elements = element_ranges(checkpoint.manifest);
  for (std::size_t i = 1; i < checkpoint.files.size(); ++i) {
    const CheckpointSummary::File& file = checkpoint.files[i];
    if (!file.outside_hash) {
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(
        const std::uint64_t hash,
        hash_outside(checkpoint.directory + "/" + file.path, elements[i], ReadFrom::cache));
    if (hash != *file.outside_hash) {
      errors.push_back({"", {}, file.path + " is not as it was committed (outside element data)"});
    }
  }
  return {};
}

}  // namespace

Result<CheckpointSummary> inspect_checkpoint(const std::string& directory,
                                             std::optional<std::int64_t> step) {
  SHARDMARK_ASSIGN_OR_RETURN(OpenCheckpoint checkpoint, open_checkpoint(directory, step));
  CheckpointSummary summary;
  summary.directory = std::move(checkpoint.directory);
  for (const CommitRecord::File& file : checkpoint.record.files) {
    summary.files.push_back({file.name, file.num_bytes, file.outside_hash});
  }
  summary.manifest = std::move(checkpoint.manifest);
  SHARDMARK_RETURN_IF_ERROR(check_cover(summary));
  return summary;
}

Result<Verification> verify_checkpoint(const CheckpointSummary& checkpoint) {
  const Manifest& manifest = checkpoint.manifest;
  SHARDMARK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> checksums,
                             read_checksums(checkpoint.directory, manifest));
  Verification verification;
  std::vector<ChunkError>& errors = verification.errors;
  SHARDMARK_RETURN_IF_ERROR(check_data_files(checkpoint, errors));
  if (checksums.empty()) {
    verification.has_checksums = manifest.entries.num_chunks() == 0;
    return verification;
  }
  std::vector<FileDescriptor> files;
  for (const std::string& name : manifest.files) {
    SHARDMARK_ASSIGN_OR_RETURN(FileDescriptor file,
                               open_file(checkpoint.directory + "/" + name, O_RDONLY));
    files.push_back(std::move(file));
  }
  StoredChunkHasher hasher;
  for (std::size_t e = 0; e < manifest.entries.entries.size(); ++e) {
    const Entry& entry = manifest.entries.entries[e];
    for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
      const Box box = manifest.chunks.box(entry.first_chunk + i, entry.sizes.ndim());
      const StoredPiece piece = manifest.piece_of(e, entry.first_chunk + i);
      SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t stored,
                                 hasher.hash(files[piece.file], manifest.files[piece.file], piece,
                                             element_size(entry.dtype), box));
      if (stored != checksums[entry.first_chunk + i]) {
        errors.push_back({entry.fqn, box.offsets, "checksum mismatch"});
      }
    }
  }
  return verification;
}

}  // namespace shardmark
