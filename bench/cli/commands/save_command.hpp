// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "bench/cli/commands/command_output.hpp"
#include "bench/cli/commands/config_arguments.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

struct SaveArguments {
  ConfigArguments config;
  std::string directory;
  std::int64_t step = 0;
  std::uint64_t seed = 0;
  bool json = false;
};

/// Collective. One checkpoint. Every rank gets the same error; the text matters on rank 0.
Result<CommandOutput> save_command(const SaveArguments& arguments, const Communicator& comm);

}  // namespace shardmark::bench
