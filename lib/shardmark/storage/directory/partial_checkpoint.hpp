// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

/// Local. Steps with a COMMIT file, ascending. Errors: not_found if there is no such directory.
Result<std::vector<std::int64_t>> committed_steps(const std::string& directory);

/// Local. The directory of `step`, or of the newest committed one. Errors: not_found naming what
/// there is.
Result<std::string> find_checkpoint(const std::string& directory, std::optional<std::int64_t> step);

/// Local. Makes `directory` (its last component only). Errors: invalid_argument naming the parent
/// that is missing, or what cannot be written.
Status make_checkpoint_root(const std::string& directory);

/// Local. Errors: already_exists if `step` is there already, invalid_argument for a step out of
/// range.
Status check_step_is_new(const std::string& directory, std::int64_t step);

/// Local. Removes what saves that died left in `directory`: only real directories of our name
/// pattern whose owner lock can be taken; none where the file system has no locks. Returns how
/// many.
Result<int> sweep_partial_checkpoints(const std::string& directory);

/// Local. Removes a committed step so that a crash at any point leaves it complete or as leftovers
/// that the next save sweeps. Errors: not_found, io_error.
Status remove_checkpoint(const std::string& directory, std::int64_t step);

/// A checkpoint being written, under DIR/.step-NNNNNNNN.partial-ID, held by the lock on its file
/// `owner`. Rank 0 only. If it is neither committed nor abandoned, the directory stays for the next
/// save to sweep.
class PartialCheckpoint {
 public:
  /// Local. Sweeps, then makes and locks the directory.
  static Result<PartialCheckpoint> begin(const std::string& directory, std::int64_t step,
                                         const std::string& save_id);

  const std::string& path() const noexcept { return path_; }

  /// Local. All files must be durable. Writes and fsyncs COMMIT, fsyncs the directory, renames it
  /// without replacing, fsyncs the parent: after it the step is there for ever. Returns its path.
  /// Errors: already_exists, io_error.
  Result<std::string> commit(const CommitRecord& record);

  /// Local. Removes the directory with all it holds.
  void abandon();

 private:
  PartialCheckpoint(std::string directory, std::int64_t step, std::string path,
                    FileDescriptor owner);

  std::string directory_;
  std::int64_t step_ = 0;
  std::string path_;
  FileDescriptor owner_;
};

}  // namespace shardmark
