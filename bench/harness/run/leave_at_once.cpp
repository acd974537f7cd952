// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/leave_at_once.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/harness/run/interruption.hpp"
#include "shardmark/core/progress.hpp"
#include "shardmark/mpi/environment.hpp"
#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark::bench {
namespace {

constexpr std::chrono::seconds longest_wait_for_others{3};

}  // namespace

bool any_must_leave(bool must_leave, const Communicator& comm) {
  const ScopedWait wait;
  const auto begun = std::chrono::steady_clock::now();
  const int own = must_leave ? 1 : 0;
  int any = own;
  MPI_Request request = MPI_REQUEST_NULL;
  if (!mpi_call(MPI_Iallreduce(&own, &any, 1, MPI_INT, MPI_MAX, comm.handle(), &request),
                "MPI_Iallreduce")) {
    return true;
  }
  for (int done = 0; done == 0;) {
    if (!mpi_call(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test") ||
        (must_leave && std::chrono::steady_clock::now() - begun > longest_wait_for_others)) {
      return true;
    }
    if (done == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return any != 0;
}

void leave_at_once(bool is_root) {
  std::fflush(nullptr);
  after_interruption_leave_with(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(is_root ? 1000 : 300));
  leave_without_finalize(1, is_root);
}

}  // namespace shardmark::bench
