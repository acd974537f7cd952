// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/cli/commands/command_output.hpp"

namespace shardmark::bench {

struct ModelsArguments {
  std::string name;  // empty: the whole catalog
  bool json = false;
};

/// Local. The catalog, or one model with its tensors. Errors: not_found with the nearest name.
Result<CommandOutput> models_command(const ModelsArguments& arguments);

}  // namespace shardmark::bench
