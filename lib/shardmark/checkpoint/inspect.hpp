// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// A chunk whose bytes are not what was written, or a part of a file that cannot be believed.
struct ChunkError {
  std::string fqn;  // empty for what lies outside all chunks
  Dims offsets;
  std::string message;
};

/// A committed checkpoint, opened: COMMIT, manifest and everything outside element data are
/// checked.
struct CheckpointSummary {
  struct File {
    std::string path;  // relative to the step's directory
    std::int64_t num_bytes = 0;
    std::optional<std::uint64_t> outside_hash;  // of all but elements; not in old data files
  };
  std::string directory;  // of the step
  std::vector<File> files;
  Manifest manifest;
};

/// Local, serial, without HDF5 or MPI. Errors: not_found (no such directory or step), unsupported
/// (format version), data_loss (damaged outside element data, or chunks that leave holes or
/// overlap).
Result<CheckpointSummary> inspect_checkpoint(const std::string& directory,
                                             std::optional<std::int64_t> step);

/// What verifying a checkpoint came to.
struct Verification {
  bool has_checksums = true;  // without them nothing is known of the elements
  std::vector<ChunkError> errors;
};

/// Local. Hashes every chunk, and every data file outside its chunks. No error and checksums mean
/// that each byte is as written. Errors: io_error.
Result<Verification> verify_checkpoint(const CheckpointSummary& checkpoint);

}  // namespace shardmark
