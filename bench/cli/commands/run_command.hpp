// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "bench/cli/commands/command_output.hpp"
#include "bench/cli/commands/config_arguments.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

struct RunArguments {
  ConfigArguments config;
  std::string out;                           // result folder; empty: no files
  bool overwrite = false;                    // results of another configuration in it
  std::vector<std::string> benchmark_flags;  // --benchmark_..., for Google Benchmark
  bool json = false;
};

/// Collective. The benchmark: all cases of the sweep. Every rank gets the same error; the text
/// matters on rank 0.
Result<CommandOutput> run_command(const RunArguments& arguments, const Communicator& comm);

}  // namespace shardmark::bench
