// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/environment.hpp"

#include <mpi.h>

#include <utility>

#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark {

Result<MpiEnvironment> MpiEnvironment::make() {
  int provided = 0;
  SHARDMARK_RETURN_IF_ERROR(mpi_call(
      MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread"));
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  return MpiEnvironment();
}

MpiEnvironment::MpiEnvironment(MpiEnvironment&& other) noexcept
    : active_(std::exchange(other.active_, false)) {}

MpiEnvironment::~MpiEnvironment() {
  SHARDMARK_ASSERT(!active_, "MpiEnvironment destroyed without finalize()");
}

void MpiEnvironment::finalize() {
  active_ = false;
  MPI_Finalize();
}

}  // namespace shardmark
