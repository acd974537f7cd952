// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// MPI from make() to finalize(). One a process.
class MpiEnvironment {
 public:
  /// Collective. Starts MPI for any number of threads (MULTIPLE) and errors returned instead of
  /// fatal.
  static Result<MpiEnvironment> make();

  MpiEnvironment(MpiEnvironment&& other) noexcept;
  MpiEnvironment& operator=(MpiEnvironment&&) = delete;
  /// Asserts that finalize() was called: a destructor that communicates would hang on error paths.
  ~MpiEnvironment();

  /// Collective. Ends MPI; no communicator may be open.
  void finalize();

 private:
  MpiEnvironment() = default;
  bool active_ = true;
};

/// Local, while MPI runs. What the library calls itself: "Open MPI v4.1.4".
std::string mpi_library();

}  // namespace shardmark
