// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

struct TortureArguments {
  std::string directory;
  bool quick = false;
  std::optional<std::string> kinds;
  std::optional<std::string> count;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> from;
  std::optional<std::string> launcher;
  bool json = false;
};

/// Local. The words that start `script`, with this program as the command that it tries.
std::vector<std::string> torture_words(const TortureArguments& arguments, const std::string& script,
                                       const std::string& shardmark);

/// Local. Does not return where it works: this process becomes scripts/torture, the installed one
/// or the source tree's. Errors: invalid_argument under a launcher, not_found if there is no
/// Python or no script.
Result<CommandOutput> torture_command(const TortureArguments& arguments);

}  // namespace shardmark::bench
