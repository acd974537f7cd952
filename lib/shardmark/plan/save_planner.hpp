// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "shardmark/plan/dedup.hpp"
#include "shardmark/plan/plan_exchange.hpp"
#include "shardmark/plan/save_plan.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

/// The state dict of a rank that this process plays. The pointer must stay good until the next
/// call.
using StateDictOfRank = std::function<Result<const StateDict*>(int rank)>;

/// Where a planner is, so that a caller can time its steps: exclusive, the last one entered is
/// current.
enum class PlanStep : std::uint8_t { hooks, local_plan, gather, global_plan, scatter, wait };
using OnPlanStep = std::function<void(PlanStep)>;

/// Receives the plan of every played rank.
using TakeSavePlan = std::function<Status(int rank, SavePlan&& plan)>;

/// What every process knows after planning.
struct SavePlanning {
  EntryTable entries;
  std::optional<GlobalSavePlan>
      global;  // on the coordinator; its `entries` is moved to the one above
};

/// Decides which rank writes which chunk. Free of MPI and of files; virtual because the
/// configuration picks it at run time. Called once a save, never per item.
class SavePlanner {
 public:
  virtual ~SavePlanner() = default;

  /// Collective over the exchange. Errors: the same one on every process.
  virtual Result<SavePlanning> plan(const StateDictOfRank& state_dict_of, PlanExchange& exchange,
                                    const TakeSavePlan& take, const OnPlanStep& on_step) = 0;
};

/// DCP's way: gather local plans on the coordinator, de-duplicate, validate, scatter.
std::unique_ptr<SavePlanner> make_coordinator_save_planner(DedupPolicy policy);

}  // namespace shardmark
