// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "shardmark/plan/merge/plan_exchange.hpp"
#include "shardmark/plan/owners/dedup.hpp"
#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

/// The state dict of a rank that this process plays. The pointer must stay good until the next
/// call.
using StateDictOfRank = std::function<Result<const StateDict*>(int rank)>;

/// Where a planner is, so that a caller can time its steps: exclusive, the last one entered is
/// current.
enum class PlanStep : std::uint8_t { hooks, local_plan, gather, global_plan, scatter, wait };
using OnPlanStep = std::function<void(PlanStep)>;

/// Receives the plan of every played rank. Shared with a planner that keeps it for the next save.
using TakeSavePlan = std::function<Status(int rank, std::shared_ptr<const SavePlan> plan)>;

/// What every process knows after planning.
struct SavePlanning {
  std::shared_ptr<const EntryTable> entries;  // of `global` where that is
  // On the coordinator, else null. Shared with a planner that keeps it for the next save: what it
  // fills in on demand stays filled in.
  std::shared_ptr<GlobalSavePlan> global;
};

/// One planning of a save, as the caller wants it and through every planner that has a part in it.
struct PlanningCall {
  StateDictOfRank state_dict_of;
  PlanExchange& exchange;
  TakeSavePlan take;
  OnPlanStep on_step = [](PlanStep) {};
};

/// Decides which rank writes which chunk. Free of MPI and of files; virtual because the
/// configuration picks it at run time. Called once a save, never per item.
class SavePlanner {
 public:
  virtual ~SavePlanner() = default;

  /// Collective over the exchange. Errors: the same one on every process.
  virtual Result<SavePlanning> plan(const PlanningCall& call) = 0;
};

/// DCP's way: gather local plans on the coordinator, de-duplicate, validate, scatter.
std::unique_ptr<SavePlanner> make_coordinator_save_planner(DedupPolicy policy);

/// The same result, merged node by node along a PlanTree on its way to rank 0, and back along it: a
/// rank hears of every chunk once however many hold it, and from few other ranks. What is stored
/// still passes through rank 0, which validates and decides alone.
std::unique_ptr<SavePlanner> make_tree_save_planner(DedupPolicy policy);

/// No gather: ranks agree on a digest of all layouts in one all-reduce, then each derives its own
/// writes and the metadata by arithmetic, in O(tensors) whatever the world size. Entries without a
/// layout, and objects that differ between ranks, are gathered as the coordinator does; with the
/// policies dcp and split, which look at all chunks at once, everything is.
std::unique_ptr<SavePlanner> make_layout_save_planner(DedupPolicy policy);

/// Wraps any planner: an unchanged state dict gets the plan of an earlier save after one small
/// all-reduce. Keyed by content (key paths, dtypes, shapes, chunks, meshes, placements, world
/// size), so a changed one never gets a stale plan and two in alternation do not mix. The key of a
/// state dict whose tensors announce changes (ContentMark) is remembered until one does. The object
/// must live from save to save, with the same exchange's ranks.
std::unique_ptr<SavePlanner> make_cached_save_planner(std::unique_ptr<SavePlanner> inner);

enum class PlannerKind : std::uint8_t { coordinator, tree, layout };

/// A row of the one table of planners.
struct PlannerTraits {
  PlannerKind kind;
  std::string_view name;
  std::unique_ptr<SavePlanner> (*make)(DedupPolicy policy);
  bool asks_for_nodes = false;  // which ranks share one: the exchange must know
  bool derives = false;         // a rank's plan of layouts alone, without messages
};

/// Local. In the order in which they are named to people.
std::span<const PlannerTraits> planner_table() noexcept;
const PlannerTraits& planner_traits(PlannerKind kind) noexcept;

std::optional<PlannerKind> planner_kind_from_name(std::string_view name) noexcept;
std::string_view planner_kind_name(PlannerKind kind) noexcept;
std::unique_ptr<SavePlanner> make_save_planner(PlannerKind kind, DedupPolicy policy);

}  // namespace shardmark
