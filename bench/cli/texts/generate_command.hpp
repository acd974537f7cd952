// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

/// Local. What is made of commands, options and configuration keys: `man`, a completion for `bash`,
/// `zsh` or `fish`; and what completions ask for: `suites`, `models`, `settings`, one a line.
/// Errors: invalid_argument, listing them.
Result<CommandOutput> generate_command(const std::string& what);

}  // namespace shardmark::bench
