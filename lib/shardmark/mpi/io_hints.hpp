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

  /// Local. Takes over what a library gave away; MPI_INFO_NULL is none.
  static IoHints adopt(MPI_Info info);

  IoHints() = default;
  IoHints(IoHints&& other) noexcept : info_(std::exchange(other.info_, MPI_INFO_NULL)) {}
  IoHints& operator=(IoHints&& other) noexcept {
    std::swap(info_, other.info_);
    return *this;
  }
  ~IoHints() { static_cast<void>(release()); }

  /// MPI_INFO_NULL without hints.
  MPI_Info get() const noexcept { return info_; }
  /// Local. Gives them back, with MPI's word for it; an opened file keeps its own.
  Status release();

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

}  // namespace shardmark
