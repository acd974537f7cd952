// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

struct InspectArguments {
  std::string directory;
  std::optional<std::int64_t> step;  // default: the newest committed
  bool verify = false;               // every checksum
  bool json = false;
};

/// Local. What a checkpoint holds, without MPI.
Result<CommandOutput> inspect_command(const InspectArguments& arguments);

}  // namespace shardmark::bench
