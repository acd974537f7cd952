// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/plan_command.hpp"

#include "bench/config/resolve.hpp"

namespace shardmark::bench {

Result<CommandOutput> plan_command(const PlanArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config.config, arguments.config.overrides));
  SHARDMARK_RETURN_IF_ERROR(resolve(document));
  return Error{ErrorCode::unsupported, "'shardmark plan' is not available in this version"};
}

}  // namespace shardmark::bench
