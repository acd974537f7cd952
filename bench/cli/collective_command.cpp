// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/collective_command.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <thread>

#include "bench/harness/run/activity.hpp"
#include "bench/harness/run/interruption.hpp"
#include "bench/harness/run/leave_at_once.hpp"
#include "bench/harness/run/same_on_all_ranks.hpp"
#include "bench/harness/watch/watcher.hpp"
#include "bench/machine/launch.hpp"
#include "shardmark/mpi/environment.hpp"
#include "shardmark/storage/hdf5/library/hdf5_state.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark::bench {
namespace {

/// An exception of third-party code on one rank leaves the others inside a collective: it ends the
/// job.
Result<CommandOutput> run_or_abort(const CollectiveCommand& command, const Communicator& comm) {
  try {
    return command(comm);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "shardmark: error: rank %d: out of memory\n", comm.rank());
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    throw;
  } catch (const std::exception&) {
    std::fprintf(stderr,
                 "shardmark: error: rank %d: this program met a fault of its own; please report it "
                 "with the command line and the files that it names\n",
                 comm.rank());
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    throw;
  }
}

/// Refuses a world that a launcher split, in which no rank hears of another. A launcher may kill
/// all of its tasks for the exit code of the first that ends: rank 0 speaks first. Where nobody
/// says how many there are, rank 0 may be missing or content: who still lives a second later speaks
/// too.
int refuse(const Launch& launch, const Error& error, const ReportResult& report) {
  if (launch.rank != 0) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return report(error, launch.rank == 0 || launch.size == 0);
}

}  // namespace

int run_collective_command(const std::vector<std::string>& words, const CollectiveCommand& command,
                           const ReportResult& report) {
  // A write past the file size limit is an error to report, not a signal to die of.
  std::signal(SIGXFSZ, SIG_IGN);
  const Launch launch = detect_launch();
  const int launched_rank = launch.rank;
  note_world(launched_rank, launched_rank + 1);
  watch_for_interruption(launched_rank == 0);
  if (const Status able = check_tasks_can_meet(launch, mpi_library()); !able) {
    return refuse(launch, able.error(), report);
  }
  auto environment = MpiEnvironment::make();
  if (!environment) {
    return report(environment.error(), launched_rank == 0);
  }
  auto comm = Communicator::duplicate(MPI_COMM_WORLD);
  if (!comm) {
    environment->finalize();
    return report(comm.error(), launched_rank == 0);
  }
  if (const Status whole = check_world_is_whole(launch, comm->size(), mpi_library()); !whole) {
    comm->close();
    environment->finalize();
    return refuse(launch, whole.error(), report);
  }
  note_world(comm->rank(), comm->size());
  note_activity("set-up");
  watch_together(*comm);
  const Status same = same_on_all_ranks("arguments", words, *comm);
  const Result<CommandOutput> result =
      same ? run_or_abort(command, *comm) : Result<CommandOutput>(same.error());
  const int code = report(result, comm->is_root());
  if (comm->is_root()) {
    for (const std::string& notice : take_new_notices()) {
      std::fprintf(stderr, "shardmark: note: %s\n", notice.c_str());
    }
  }
  after_interruption_leave_with(code);
  if (any_must_leave(hdf5_unusable(), *comm)) {
    leave_at_once(comm->is_root());
  }
  comm->close();
  environment->finalize();
  return code;
}

}  // namespace shardmark::bench
