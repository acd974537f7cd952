// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "shardmark/mpi/communicator.hpp"

namespace shardmark::testing {

/// A fresh directory, removed at the end.
class TemporaryDirectory {
 public:
  /// Local.
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "shardmark-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  /// Collective: one directory, made by rank 0, for all ranks.
  explicit TemporaryDirectory(const Communicator& comm) : comm_(&comm) {
    if (comm.is_root()) {
      path_ = TemporaryDirectory().release();
    }
    comm.broadcast(path_);
  }
  ~TemporaryDirectory() {
    if (comm_ != nullptr) {
      comm_->barrier();
    }
    if (!path_.empty() && (comm_ == nullptr || comm_->is_root())) {
      std::error_code ignored;
      std::filesystem::remove_all(path_, ignored);
    }
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string release() { return std::exchange(path_, {}); }

  const Communicator* comm_ = nullptr;
  std::string path_;
};

}  // namespace shardmark::testing
