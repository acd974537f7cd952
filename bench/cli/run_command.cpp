// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/run_command.hpp"

#include "bench/config/resolve.hpp"

namespace shardmark::bench {

Result<CommandOutput> run_command(const RunArguments& arguments, const Communicator& comm) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config.config, arguments.config.overrides));
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(resolve_sweep(document))));
  return Error{ErrorCode::unsupported, "'shardmark run' is not available in this version"};
}

}  // namespace shardmark::bench
