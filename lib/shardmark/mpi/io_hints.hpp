// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mpi.h>

#include <map>
#include <string>
#include <utility>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Hints for MPI-IO as MPI takes them.
class IoHints {
 public:
  /// Local. Errors: internal, for a hint that MPI does not take (a key or value that is too long).
  static Result<IoHints> make(const std::map<std::string, std::string>& hints);

  IoHints(IoHints&& other) noexcept : info_(std::exchange(other.info_, MPI_INFO_NULL)) {}
  IoHints& operator=(IoHints&&) = delete;
  ~IoHints() { static_cast<void>(release()); }

  /// MPI_INFO_NULL without hints.
  MPI_Info get() const noexcept { return info_; }
  /// Local. Gives them back, with MPI's word for it; an opened file keeps its own.
  Status release();

 private:
  IoHints() = default;

  MPI_Info info_ = MPI_INFO_NULL;
};

}  // namespace shardmark
