// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/cli/commands/command_output.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// A command that all ranks run together. Gives the same result on all ranks; its text matters on
/// rank 0.
using CollectiveCommand = std::function<Result<CommandOutput>(const Communicator&)>;
/// Prints a result where `speaks` and gives its exit code.
using ReportResult = std::function<int(const Result<CommandOutput>&, bool speaks)>;

/// Collective. Starts MPI, refuses `words` that are not the same on all ranks, runs `command`,
/// reports, ends MPI, gives the exit code. Rank 0 has spoken before any rank leaves: a launcher
/// ends the whole job at the first exit code that is not 0. Where a failed write has left HDF5
/// unusable, every rank leaves by _exit(1) instead.
int run_collective_command(const std::vector<std::string>& words, const CollectiveCommand& command,
                           const ReportResult& report);

}  // namespace shardmark::bench
