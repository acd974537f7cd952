// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/cli/collective_command.hpp"
#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

/// What the arguments ask for.
struct ParsedCommand {
  bool json = false;
  // One of the two is set. A local command needs no other rank: launched by mpirun, rank 0 alone
  // runs it.
  std::function<Result<CommandOutput>()> run_local;
  CollectiveCommand run_collective;
  bool observes = false;  // makes checkpoints whose visibility it measures
};

/// Local. `arguments` without the program's name. Errors: invalid_argument naming the argument and
/// the nearest known one.
Result<ParsedCommand> parse_command(const std::vector<std::string>& arguments);

}  // namespace shardmark::bench
