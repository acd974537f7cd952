// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/played_workload.hpp"

#include <fmt/format.h>

#include "bench/text/played_facts.hpp"
#include "shardmark/core/by_rank.hpp"

namespace shardmark::bench {

Result<Workload> played_workload(const WorkloadOptions& options,
                                 const std::optional<PlayedWorld>& played, Memory memory,
                                 const Communicator& comm) {
  return played ? Workload::make(options, of_rank(played->ranks, comm.rank()), played->world_size,
                                 memory)
                : Workload::make(options, comm.rank(), comm.size(), memory);
}

std::string played_lines(const PlayedWorld& played) {
  const auto facts = played_facts(played);
  return fmt::format("  measured: {}\n  not there: {}\n", facts.at("measured"),
                     facts.at("not_there"));
}

}  // namespace shardmark::bench
