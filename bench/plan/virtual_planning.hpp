// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/plan/virtual_clocks.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {

/// The configured planner at work for a world of any size inside this process, timed rank by rank.
/// Where every rank derives its part from layouts alone, a few play for all.
class VirtualPlanning {
 public:
  /// Local. Errors: those of Workload::make.
  static Result<VirtualPlanning> make(const Config& config, std::int64_t world_size);

  /// Local. Plans once; with planner.cache a later call finds the plan of the first.
  Result<SavePlanning> plan();

  // Of the latest plan():

  std::span<const int> played_ranks() const noexcept { return played_; }
  const VirtualClocks& clocks() const noexcept { return clocks_; }
  /// A played rank's steps; `wait` is how long it waited for others, until the last was done.
  PhaseTimes timeline_of(int rank) const;
  const PlanTraffic& traffic() const noexcept { return traffic_; }
  /// Of rank 0, or whichever rank is played by itself.
  const Workload& workload() const noexcept { return workloads_.front(); }
  /// What all ranks together store.
  std::int64_t global_num_bytes() const noexcept { return workloads_.front().global_num_bytes(); }

 private:
  VirtualPlanning(const Config& config, std::int64_t world_size);
  Result<const StateDict*> state_dict_of(int rank);

  std::int64_t world_size_;
  std::vector<int> played_;
  std::vector<Workload> workloads_;  // of each played rank, or one that moves from rank to rank
  std::unique_ptr<SavePlanner> planner_;
  VirtualClocks clocks_;
  PlanTraffic traffic_;
};

}  // namespace shardmark::bench
