// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/cli/commands/chunks_distribution.hpp"
#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

/// Local. Who owns which box, by the tensor types' own rules. Errors: those of
/// parse_distribution().
Result<CommandOutput> chunks_command(const ChunksArguments& arguments);

}  // namespace shardmark::bench
