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
namespace {

/// A command that has results up to the failure shows them too.
void print_failure(bool json, const Result<CommandOutput>& result) {
  if (result) {
    std::fputs(result->text.c_str(), stdout);
  } else if (json) {
    std::fputs(error_document(result.error()).c_str(), stdout);
  }
  if (!result || result->error) {
    const Error& error = result ? *result->error : result.error();
    std::fputs(error_message(error, text_style(stderr).colour).c_str(), stderr);
  }
}

}  // namespace

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
    if (comm->is_root()) {
      print_failure(json, result);
    }
    leave_at_once(comm->is_root());
  }
  comm->close();
  environment.finalize();
  return result;
}

}  // namespace shardmark::bench
