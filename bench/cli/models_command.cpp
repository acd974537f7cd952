// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/models_command.hpp"

namespace shardmark::bench {

Result<CommandOutput> models_command(const ModelsArguments& arguments) {
  static_cast<void>(arguments);
  return Error{ErrorCode::unsupported, "'shardmark models' is not available in this version"};
}

}  // namespace shardmark::bench
