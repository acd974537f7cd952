// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/cli/command_output.hpp"

namespace shardmark::bench {

struct ChunksArguments {
  std::string shape;       // "10,7"; empty: a 0-d tensor
  std::string mesh;        // "2,3"
  std::string placements;  // "S(0),R"
  std::string type = "dtensor";
  bool json = false;
};

/// Local. Who owns which box, by the shard rule that the tensors use.
/// Errors: invalid_argument (numbers, placements, Partial, more boxes than can be listed);
/// unsupported (a type that is not built).
Result<CommandOutput> chunks_command(const ChunksArguments& arguments);

}  // namespace shardmark::bench
