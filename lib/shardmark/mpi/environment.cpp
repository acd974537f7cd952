// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/environment.hpp"

#include <mpi.h>

#include <algorithm>
#include <array>
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

std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  if (MPI_Get_library_version(text.data(), &length) != MPI_SUCCESS) {
    return "an unknown MPI";
  }
  // "Open MPI v4.1.4, package: ..." and "MPICH Version:\t4.0.2\nMPICH Release date: ...".
  std::string name(text.data(), static_cast<std::size_t>(length));
  name = name.substr(0, name.find_first_of(",\n"));
  std::ranges::replace(name, '\t', ' ');
  return name;
}

}  // namespace shardmark
