// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "bench/cli/command_output.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Collective. Starts MPI, runs `command` on all ranks of the world, ends MPI. `command` gives the same result on all
/// ranks; its text matters on rank 0. If a failed write has left HDF5 unusable this does not return: rank 0
/// prints the one message (as JSON on stdout with `json`) and every rank leaves by _exit(1).
Result<CommandOutput> run_under_mpi(
    bool json, const std::function<Result<CommandOutput>(const Communicator&)>& command);

}  // namespace shardmark::bench
