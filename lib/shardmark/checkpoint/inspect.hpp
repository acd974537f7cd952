// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// A chunk whose bytes are not what was written, or a part of the file that cannot be believed.
struct ChunkError {
  std::string fqn;
  Dims offsets;
  std::string message;
};

/// A committed checkpoint, opened: COMMIT, manifest and everything outside element data are
/// checked.
struct CheckpointSummary {
  struct File {
    std::string path;  // relative to the step's directory
    std::int64_t num_bytes = 0;
  };
  std::string directory;  // of the step
  std::vector<File> files;
  Manifest manifest;
};

/// Local, serial, without HDF5 or MPI. Errors: not_found (no such directory or step), unsupported
/// (format version), data_loss (damaged outside element data).
Result<CheckpointSummary> inspect_checkpoint(const std::string& directory,
                                             std::optional<std::int64_t> step);

/// Local. Hashes every chunk. An empty list means that each byte is as written. Errors: io_error.
Result<std::vector<ChunkError>> verify_checkpoint(const CheckpointSummary& checkpoint);

}  // namespace shardmark
