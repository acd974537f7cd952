// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/cli/commands/command_output.hpp"
#include "bench/cli/commands/config_arguments.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

struct LoadArguments {
  ConfigArguments config;
  std::string directory;
  std::optional<std::int64_t> step;  // default: the newest committed
  bool verify = false;               // every value against the value law
  std::string only;                  // a glob over fqns; empty: all
  bool json = false;
};

/// Collective. Loads at any world size and strategy. Every rank gets the same error; the text
/// matters on rank 0.
Result<CommandOutput> load_command(const LoadArguments& arguments, const Communicator& comm);

}  // namespace shardmark::bench
