// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "bench/config/config.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {

/// Local. Which of a virtual world's ranks one of several processes plays.
std::int64_t virtual_rank(std::int64_t process, std::int64_t processes, std::int64_t world_size);

/// Which ranks of run.world processes are, unless run.play says it.
enum class Played : std::uint8_t {
  spread,  // over the world, its first and last rank among them
  first,   // its first ones: a node of it
};

/// One rank's workloads, shared by all cases of the same model and sharding. Buffers stay allocated
/// and touched as long as they fit into the budget, since first touch costs more than I/O; the ones
/// that were not used for longest go first.
class WorkloadPool {
 public:
  WorkloadPool(std::int64_t rank, std::int64_t world_size, std::int64_t budget_bytes)
      : rank_(rank), world_size_(world_size), budget_bytes_(budget_bytes) {}

  /// Local. Good until the next call. With run.world that of the rank which this process plays.
  /// Errors: those of Workload::make; invalid_argument where run.play does not fit.
  Result<Workload*> get(const Config& config, Memory memory, Played played = Played::spread);

 private:
  struct Held {
    ModelConfig model;
    ParallelConfig parallel;
    std::int64_t virtual_world;
    std::int64_t rank;
    Memory memory;
    std::unique_ptr<Workload> workload;
  };

  void make_room(std::int64_t num_bytes);

  std::int64_t rank_;
  std::int64_t world_size_;
  std::int64_t budget_bytes_;
  std::list<Held> held_;  // last used first
};

}  // namespace shardmark::bench
