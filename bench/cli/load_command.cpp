// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/load_command.hpp"

#include "bench/config/resolve.hpp"

namespace shardmark::bench {

Result<CommandOutput> load_command(const LoadArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config.config, arguments.config.overrides));
  SHARDMARK_RETURN_IF_ERROR(resolve(document));
  return Error{ErrorCode::unsupported, "'shardmark load' is not available in this version"};
}

}  // namespace shardmark::bench
