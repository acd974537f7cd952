// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/directory/leftovers.hpp"
#include "shardmark/storage/directory/ownership.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/format/played_mark.hpp"

namespace shardmark {

/// A checkpoint being written, under DIR/.step-NNNNNNNN.partial-ID, held by its file `owner`. Rank
/// 0 only. If it is neither committed nor abandoned, the directory stays for the next save to
/// sweep.
class PartialCheckpoint {
 public:
  /// Local. Sweeps, then makes and owns the directory. What stays of others, and a sweep that was
  /// not possible, is a notice.
  static Result<PartialCheckpoint> begin(const std::string& directory, std::int64_t step,
                                         const std::string& save_id, const SweepRules& rules = {});

  const std::string& path() const noexcept { return path_; }

  /// Local. All files must be durable. Writes and fsyncs COMMIT, fsyncs the directory, renames it
  /// without replacing, fsyncs the parent: after it the step is there for ever. Returns its path.
  /// Errors: already_exists; io_error, which says so where the step is there all the same: then a
  /// crash of this machine may still lose it.
  Result<std::string> commit(const CommitRecord& record);

  /// Local. The same with PLAYED instead of COMMIT, under the name of what was played: never a
  /// step.
  Result<std::string> commit_played(const PlayedMark& mark);

  /// Local. Removes the directory with all it holds.
  void abandon();

 private:
  /// `is_ours` looks at what is there where a rename has failed.
  Result<std::string> finish(const std::string& mark_name, const std::string& mark,
                             const std::string& name,
                             const std::function<bool(const std::string& there)>& is_ours);

  PartialCheckpoint(std::string directory, std::int64_t step, std::string path,
                    std::unique_ptr<Ownership> owner);

  std::string directory_;
  std::int64_t step_ = 0;
  std::string path_;
  std::unique_ptr<Ownership> owner_;
};

/// Local. Errors: already_exists if `to` is there; not_found if `from` is not; io_error. A step
/// that is there is never replaced, whether or not the file system has a rename that promises it.
Status rename_without_replacing(const std::string& directory, const std::string& from,
                                const std::string& to);

}  // namespace shardmark
