// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/cli/commands/command_output.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

struct ProbeArguments {
  std::string directory;
  bool json = false;
};

/// Collective. What the file system of a directory does, found by doing it. Errors: not_found if
/// there is no such directory; those of probe_file_system().
Result<CommandOutput> probe_command(const ProbeArguments& arguments, const Communicator& comm);

}  // namespace shardmark::bench
