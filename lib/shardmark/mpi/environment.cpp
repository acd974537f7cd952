// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/environment.hpp"

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
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

void leave_without_finalize(int exit_code, [[maybe_unused]] bool is_root) {
#ifdef MPICH_VERSION
  using std::chrono::milliseconds;
  int is_started = 0;
  int is_ended = 0;
  MPI_Initialized(&is_started);
  MPI_Finalized(&is_ended);
  if (is_started == 0 || is_ended != 0) {
    _exit(exit_code);
  }
  if (is_root) {
    // Should it wait for what another thread holds.
    std::thread([exit_code] {
      std::this_thread::sleep_for(milliseconds(2000));
      _exit(exit_code);
    }).detach();
    MPI_Abort(MPI_COMM_WORLD, exit_code);
  } else {
    std::this_thread::sleep_for(milliseconds(5000));
  }
#endif
  _exit(exit_code);
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
