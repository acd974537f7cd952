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

/// Local, never returns. Ends this rank, and so the job, after something that makes collective
/// calls hang; rank 0 has said everything. Not by MPI_Finalize, nor by any exit handler of HDF5's
/// (which are off). MPICH's launcher ends with the signal by which it killed the other ranks, or
/// with 0, unless MPI_Abort gave it an exit code: there rank 0 does, and the others wait for that.
[[noreturn]] void leave_without_finalize(int exit_code, bool is_root);

/// Local, while MPI runs. What the library calls itself: "Open MPI v4.1.4".
std::string mpi_library();

}  // namespace shardmark
