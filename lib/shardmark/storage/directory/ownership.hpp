// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

/// The right to a folder: its file `owner`, locked and touched every few seconds by a thread while
/// this lives, so that no sweeper takes it, on whatever node.
class Ownership {
 public:
  /// Local. Makes and locks `folder`/owner. Where there are no locks it is held by its heartbeat
  /// alone, and a notice says so. Errors: not_found if the folder is gone (a sweeper took it);
  /// already_exists if somebody else holds it; io_error; no_space where the system gives no thread.
  static Result<std::unique_ptr<Ownership>> take(const std::string& folder);
  ~Ownership();
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  /// Local. Lets go: the lock goes with the last process that has it open.
  void release();

  /// Local. For those who must let go of it in another way; -1 after release().
  int descriptor() const noexcept { return file_.get(); }

 private:
  Ownership(std::string path, FileDescriptor file);
  Status start_heart();
  void beat();

  std::string path_;
  FileDescriptor file_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool released_ = false;
  std::vector<std::thread> heart_;  // one while it beats
};

}  // namespace shardmark
