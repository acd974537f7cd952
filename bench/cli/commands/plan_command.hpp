// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/cli/commands/command_output.hpp"
#include "bench/cli/commands/config_arguments.hpp"

namespace shardmark::bench {

struct PlanArguments {
  ConfigArguments config;
  std::optional<std::int64_t> world_size;  // default: run.ranks
  std::string ranks;                       // "A:B", as given; empty: all
  std::string storage;                     // a file that describes one; empty: none
  bool json = false;
};

/// Local. A dry run for a world of any size: no tensor memory, no files, no MPI.
Result<CommandOutput> plan_command(const PlanArguments& arguments);

}  // namespace shardmark::bench
