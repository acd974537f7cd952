// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/directory/ownership.hpp"

namespace shardmark {

/// Where a benchmark saves: DIR/run-<id>, a folder of its own, so that none of its steps is ever
/// taken for a user's. It is gone when the run ends, however it ends, or at the next sweep; with
/// close(true) it stays with what is in it. Rank 0 only.
class RunFolder {
 public:
  /// Local. Makes DIR (its last component) and the folder; `run_id` has 16 hex digits. Sweeps what
  /// dead jobs left in DIR. Errors: those of make_checkpoint_root; io_error.
  static Result<RunFolder> make(const std::string& directory, const std::string& run_id);
  RunFolder(RunFolder&&) noexcept = default;
  RunFolder& operator=(RunFolder&&) noexcept = default;
  /// As close(false).
  ~RunFolder();

  const std::string& path() const noexcept { return path_; }

  /// Local, once. Removes the run's own; what others put into the folder keeps it. True if nothing
  /// stays but what should.
  bool close(bool keep);

 private:
  RunFolder(std::string path, std::string run_id, std::unique_ptr<Ownership> owner)
      : path_(std::move(path)), run_id_(std::move(run_id)), owner_(std::move(owner)) {}

  std::string path_;
  std::string run_id_;
  std::unique_ptr<Ownership> owner_;
};

}  // namespace shardmark
