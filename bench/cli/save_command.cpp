// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/save_command.hpp"

#include "bench/config/resolve.hpp"

namespace shardmark::bench {

Result<CommandOutput> save_command(const SaveArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config.config, arguments.config.overrides));
  SHARDMARK_RETURN_IF_ERROR(resolve(document));
  return Error{ErrorCode::unsupported, "'shardmark save' is not available in this version"};
}

}  // namespace shardmark::bench
