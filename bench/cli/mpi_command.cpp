// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/mpi_command.hpp"

#include <csignal>
#include <cstdio>

#include "bench/cli/error_report.hpp"
#include "bench/cli/text_style.hpp"
#include "bench/harness/leave_at_once.hpp"
#include "shardmark/mpi/environment.hpp"
#include "shardmark/storage/hdf5_state.hpp"

namespace shardmark::bench {

Result<CommandOutput> run_under_mpi(
    bool json, const std::function<Result<CommandOutput>(const Communicator&)>& command) {
  // A write past the file size limit is an error to report, not a signal to die of.
  std::signal(SIGXFSZ, SIG_IGN);
  SHARDMARK_ASSIGN_OR_RETURN(MpiEnvironment environment, MpiEnvironment::make());
  auto comm = Communicator::duplicate(MPI_COMM_WORLD);
  if (!comm) {
    environment.finalize();
    return comm.error();
  }
  Result<CommandOutput> result = command(*comm);
  if (hdf5_unusable()) {
    if (comm->is_root() && !result) {
      if (json) {
        std::fputs(error_document(result.error()).c_str(), stdout);
      }
      std::fputs(error_message(result.error(), text_style(stderr).colour).c_str(), stderr);
    }
    leave_at_once(comm->is_root());
  }
  comm->close();
  environment.finalize();
  return result;
}

}  // namespace shardmark::bench
