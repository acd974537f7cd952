// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/inspect_command.hpp"

namespace shardmark::bench {

Result<CommandOutput> inspect_command(const InspectArguments& arguments) {
  static_cast<void>(arguments);
  return Error{ErrorCode::unsupported, "'shardmark inspect' is not available in this version"};
}

}  // namespace shardmark::bench
