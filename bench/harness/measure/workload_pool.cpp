// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/workload_pool.hpp"

#include <algorithm>
#include <iterator>

#include "bench/config/error_origin.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/played_ranks.hpp"
#include "shardmark/core/by_rank.hpp"

namespace shardmark::bench {

std::int64_t virtual_rank(std::int64_t process, std::int64_t processes, std::int64_t world_size) {
  return processes == 1 ? 0 : process * (world_size - 1) / (processes - 1);
}

Result<Workload*> WorkloadPool::get(const Config& config, Memory memory, Played played) {
  const std::int64_t world_size = config.run.world == 0 ? world_size_ : config.run.world;
  std::int64_t rank = config.run.world == 0 ? rank_ : virtual_rank(rank_, world_size_, world_size);
  if (played == Played::first || !config.run.play.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(const auto world, played_world(config, world_size_));
    rank = world ? of_rank(world->ranks, rank_) : rank_;
  }
  const auto found = std::ranges::find_if(held_, [&](const Held& held) {
    return held.model == config.model && held.parallel == config.parallel &&
           held.virtual_world == config.run.world && held.rank == rank && held.memory == memory;
  });
  if (found != held_.end()) {
    held_.splice(held_.begin(), held_, found);
    return held_.front().workload.get();
  }
  const WorkloadOptions options = workload_options(config);
  if (memory == Memory::allocate) {
    // Without memory first: how much there must be room for.
    SHARDMARK_ASSIGN_OR_RETURN(
        const Workload planned,
        with_origin(Workload::make(options, rank, world_size, Memory::none), config));
    make_room(planned.local_num_bytes());
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      Workload made, with_origin(Workload::make(options, rank, world_size, memory), config));
  held_.push_front({config.model, config.parallel, config.run.world, rank, memory,
                    std::make_unique<Workload>(std::move(made))});
  return held_.front().workload.get();
}

void WorkloadPool::make_room(std::int64_t num_bytes) {
  std::int64_t in_use = num_bytes;
  for (const Held& held : held_) {
    in_use += held.memory == Memory::allocate ? held.workload->local_num_bytes() : 0;
  }
  for (auto held = held_.end(); held != held_.begin() && in_use > budget_bytes_;) {
    --held;
    if (held->memory == Memory::allocate) {
      in_use -= held->workload->local_num_bytes();
      held = held_.erase(held);
    }
  }
}

}  // namespace shardmark::bench
