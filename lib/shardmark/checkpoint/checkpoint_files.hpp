// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// A committed checkpoint whose COMMIT, file sizes, manifest and every byte outside element data
/// have been checked. Nothing was opened by HDF5.
struct OpenCheckpoint {
  std::string directory;  // of the step
  CommitRecord record;
  std::vector<std::byte> manifest_bytes;
  Manifest manifest;
};

/// Local. Errors: not_found (no such directory or committed step), unsupported (format version),
/// data_loss (damaged).
Result<OpenCheckpoint> open_checkpoint(const std::string& directory,
                                       std::optional<std::int64_t> step);

/// Local. The same of what the ranks `played` have written,. Errors:
/// mismatch where others have written it.
Result<OpenCheckpoint> open_played(const std::string& directory, std::optional<std::int64_t> step,
                                   const PlayedWorld& played);

/// Local. All checksums, by chunk; empty if the checkpoint was saved without.
Result<std::vector<std::uint64_t>> read_checksums(const std::string& step_directory,
                                                  const Manifest& manifest);

}  // namespace shardmark
