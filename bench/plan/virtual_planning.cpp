// SPDX-License-Identifier: Apache-2.0
#include "bench/plan/virtual_planning.hpp"

#include <algorithm>
#include <utility>

#include "bench/config/error_origin.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/harness/measure/workload_pool.hpp"
#include "shardmark/plan/merge/known_layouts.hpp"
#include "shardmark/plan/owners/holder_balance.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t sample_size = 32;
// Tensors of all played ranks together that are held at once, some 600 bytes each.
constexpr std::size_t most_tensors = 500'000;

bool derives_alone(const Config& config, const Workload& workload) {
  return planner_traits(planner_kind(config)).derives && has_layout_owners(dedup_policy(config)) &&
         KnownLayouts::of(workload.state_dict()).others.empty();
}

/// `count` of them, rank 0 and the last among them.
std::vector<int> evenly_spread(std::int64_t count, std::int64_t world_size) {
  std::vector<int> ranks;
  for (std::int64_t i = 0; i < count; ++i) {
    ranks.push_back(static_cast<int>(virtual_rank(i, count, world_size)));
  }
  return ranks;
}

}  // namespace

VirtualPlanning::VirtualPlanning(const Config& config, std::int64_t world_size)
    : world_size_(world_size), planner_(configured_planner(config)), clocks_(world_size) {}

Result<VirtualPlanning> VirtualPlanning::make(const Config& config, std::int64_t world_size) {
  VirtualPlanning planning(config, world_size);
  const auto make_workload = [&](int rank) {
    return with_origin(Workload::make(workload_options(config), rank, world_size, Memory::none),
                       config);
  };
  SHARDMARK_ASSIGN_OR_RETURN(Workload first, make_workload(0));
  const bool alone = derives_alone(config, first);
  planning.played_ =
      evenly_spread(alone ? std::min(sample_size, world_size) : world_size, world_size);
  const bool fits = planning.played_.size() * first.state_dict().size() <= most_tensors;
  planning.workloads_.push_back(std::move(first));
  // A rank's own state dict stays what it is from save to save, which a cached planner may notice.
  for (std::size_t i = 1; alone && (fits || config.planner.cache) && i < planning.played_.size();
       ++i) {
    SHARDMARK_ASSIGN_OR_RETURN(Workload next, make_workload(planning.played_[i]));
    planning.workloads_.push_back(std::move(next));
  }
  return planning;
}

Result<const StateDict*> VirtualPlanning::state_dict_of(int rank) {
  if (workloads_.size() == played_.size()) {
    const auto at = std::lower_bound(played_.begin(), played_.end(), rank) - played_.begin();
    return &std::as_const(workloads_[static_cast<std::size_t>(at)]).state_dict();
  }
  SHARDMARK_RETURN_IF_ERROR(workloads_.front().move_to_rank(rank));
  return &std::as_const(workloads_.front()).state_dict();
}

Result<SavePlanning> VirtualPlanning::plan() {
  clocks_ = VirtualClocks(world_size_);
  LocalPlanExchange exchange(static_cast<int>(world_size_), played_);
  exchange.set_on_turn([&](int rank, int waited_for) { clocks_.turn(rank, waited_for); });
  auto planning =
      planner_->plan({.state_dict_of =
                          [&](int rank) {
                            clocks_.pause();
                            auto state_dict = state_dict_of(rank);
                            clocks_.resume_as(rank);
                            return state_dict;
                          },
                      .exchange = exchange,
                      .take = [](int, const std::shared_ptr<const SavePlan>&) { return Status(); },
                      .on_step = [&](PlanStep step) { clocks_.enter(step); }});
  clocks_.pause();
  traffic_ = exchange.traffic();
  return planning;
}

PhaseTimes VirtualPlanning::timeline_of(int rank) const {
  PhaseTimes times = clocks_.steps_of(rank);
  // The last rank's own sum has other roundings than its clock.
  times[Phase::wait] += std::max(0.0, clocks_.latest_s() - times.total_s());
  return times;
}

}  // namespace shardmark::bench
