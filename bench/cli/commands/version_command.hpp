// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

/// Local. What build_info() knows.
Result<CommandOutput> version_command(bool json);

}  // namespace shardmark::bench
