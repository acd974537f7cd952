// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/inspect.hpp"

#include <fcntl.h>

#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"

namespace shardmark {

Result<CheckpointSummary> inspect_checkpoint(const std::string& directory,
                                             std::optional<std::int64_t> step) {
  SHARDMARK_ASSIGN_OR_RETURN(OpenCheckpoint checkpoint, open_checkpoint(directory, step));
  CheckpointSummary summary;
  summary.directory = std::move(checkpoint.directory);
  for (const CommitRecord::File& file : checkpoint.record.files) {
    summary.files.push_back({file.name, file.num_bytes});
  }
  summary.manifest = std::move(checkpoint.manifest);
  return summary;
}

Result<std::vector<ChunkError>> verify_checkpoint(const CheckpointSummary& checkpoint) {
  const Manifest& manifest = checkpoint.manifest;
  SHARDMARK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> checksums,
                             read_checksums(checkpoint.directory, manifest));
  std::vector<ChunkError> errors;
  if (checksums.empty()) {
    return errors;
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
  return errors;
}

}  // namespace shardmark
