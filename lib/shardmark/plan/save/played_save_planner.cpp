// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/save/played_save_planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/plan/merge/known_layouts.hpp"
#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/merge/plan_exchange.hpp"
#include "shardmark/plan/owners/holder_balance.hpp"
#include "shardmark/plan/save/enumerated_planning.hpp"
#include "shardmark/protocol/write_item.hpp"

namespace shardmark {
namespace {

/// The bigger world as one process of the smaller one sees it: all that is played agrees, and
/// nobody else is there to be heard or told.
class PlayedExchange final : public PlanExchange {
 public:
  PlayedExchange(const PlayedWorld& world, PlanExchange& real) : world_(world), real_(real) {
    for (const int process : real.played_ranks()) {
      ranks_.push_back(of_rank(world.ranks, process));
    }
  }

  int world_size() const noexcept override { return static_cast<int>(world_.world_size); }
  std::span<const int> played_ranks() const noexcept override { return ranks_; }
  bool is_root() const noexcept override { return real_.is_root(); }
  int node_of(int rank) const override { return rank; }

  Status gather(const Make& /*make*/, const Take& /*take*/) override { return nobody_there(); }
  Status gather_along(const PlanTree& /*tree*/, PlanMerge& /*merge*/) override {
    return nobody_there();
  }
  Status scatter(const Make& /*make*/, const Take& /*take*/) override { return nobody_there(); }
  Status scatter_along(const PlanTree& /*tree*/, const Make& /*make*/,
                       const Take& /*take*/) override {
    return nobody_there();
  }
  Status broadcast(Bytes& bytes) override { return real_.broadcast(bytes); }
  Status all_reduce(std::span<std::uint64_t> values, ReduceOp op) override {
    return real_.all_reduce(values, op);
  }
  Status agree(const Status& local) override { return real_.agree(local); }

 private:
  Error nobody_there() const {
    return {ErrorCode::unsupported,
            fmt::format("this save's planner must hear of all {} ranks, and {} of them are played",
                        world_.world_size, world_.ranks.size())};
  }

  const PlayedWorld& world_;
  PlanExchange& real_;
  std::vector<int> ranks_;
};

/// Appends what `plan` writes, as a hook would list it. The items view `entries`.
void append_items(const SavePlan& plan, const EntryTable& entries, std::vector<WriteItem>& items) {
  for (const PlannedWrite& write : plan.writes) {
    const Entry& entry = of_rank(entries.entries, write.entry);
    if (entry.kind == EntryKind::object) {
      WriteItem item;
      item.index.fqn = entry.fqn;
      item.type = WriteItemType::byte_io;
      item.byte_io_size = entry.sizes[0];
      items.push_back(item);
    } else {
      items.push_back(
          make_write_item(entry.fqn, WriteItemType::shard, write.box, entry.dtype, entry.sizes, 0));
    }
  }
}

/// Where a written box is a part of a hook's box: the corner of that one, by name and own corner.
using Sources = std::map<std::pair<std::string, std::vector<std::int64_t>>, Dims>;

std::vector<std::int64_t> key_of(const Dims& offsets) {
  return {offsets.begin(), offsets.end()};
}

Sources sources_of(const SavePlan& plan, const EntryTable& entries) {
  Sources sources;
  for (const PlannedWrite& write : plan.writes) {
    if (write.source != write.box.offsets) {
      sources[{of_rank(entries.entries, write.entry).fqn, key_of(write.box.offsets)}] =
          write.source;
    }
  }
  return sources;
}

class PlayedSavePlanner final : public SavePlanner {
 public:
  PlayedSavePlanner(PlannerKind kind, DedupPolicy policy, PlayedSave played)
      : derives_(planner_traits(kind).derives && has_layout_owners(policy)),
        inner_(make_save_planner(kind, policy)),
        played_(std::move(played)) {}

  Result<SavePlanning> plan(const PlanningCall& call) override {
    std::vector<std::shared_ptr<const SavePlan>> shares;
    SHARDMARK_ASSIGN_OR_RETURN(const SavePlanning big, plan_as_played(call, shares));
    call.on_step(PlanStep::scatter);
    std::size_t next = 0;
    const bool holds = played_.parts == PlayedParts::held;
    // No two played ranks have a share of one chunk; of what several hold one becomes the owner.
    EnumeratedPlanning small(
        DedupPolicy::balanced, Gathering::one_by_one,
        [&](const StateDict& state_dict, std::vector<WriteItem>& items) -> Status {
          if (!holds) {
            append_items(*shares[next++], *big.entries, items);
            return {};
          }
          SHARDMARK_RETURN_IF_ERROR(collect_write_items(state_dict, items));
          std::erase_if(items, [](const WriteItem& item) { return num_bytes(item) == 0; });
          return {};
        });
    small.allow_holes();
    std::vector<std::shared_ptr<const SavePlan>> taken;
    SHARDMARK_ASSIGN_OR_RETURN(SavePlanning planning,
                               small.plan({.state_dict_of = call.state_dict_of,
                                           .exchange = call.exchange,
                                           .take =
                                               [&](int, std::shared_ptr<const SavePlan> plan) {
                                                 taken.push_back(std::move(plan));
                                                 return Status();
                                               },
                                           .on_step = [](PlanStep) {}}));
    for (std::size_t i = 0; i < taken.size(); ++i) {
      const Sources sources = holds ? Sources() : sources_of(*shares[i], *big.entries);
      SHARDMARK_RETURN_IF_ERROR(
          call.take(call.exchange.played_ranks()[i],
                    sources.empty() ? taken[i] : with_sources(*taken[i], planning, sources)));
    }
    return planning;
  }

 private:
  static std::shared_ptr<const SavePlan> with_sources(SavePlan plan, const SavePlanning& planning,
                                                      const Sources& sources) {
    for (PlannedWrite& write : plan.writes) {
      const auto found = sources.find(
          {of_rank(planning.entries->entries, write.entry).fqn, key_of(write.box.offsets)});
      write.source = found == sources.end() ? write.source : found->second;
    }
    return std::make_shared<const SavePlan>(std::move(plan));
  }

  /// What each of this process's ranks writes in its world; one rank, but in tests.
  Result<SavePlanning> plan_as_played(const PlanningCall& call,
                                      std::vector<std::shared_ptr<const SavePlan>>& shares) {
    PlayedExchange exchange(played_.world, call.exchange);
    const auto take = [&](int rank, std::shared_ptr<const SavePlan> plan) {
      const auto ranks = exchange.played_ranks();
      if (std::binary_search(ranks.begin(), ranks.end(), rank)) {
        shares.push_back(std::move(plan));
      }
      return Status();
    };
    SHARDMARK_ASSIGN_OR_RETURN(const bool alone, derives_alone(call));
    if (!alone && played_.whole_world) {
      LocalPlanExchange whole(static_cast<int>(played_.world.world_size));
      return inner_->plan({.state_dict_of = played_.whole_world,
                           .exchange = whole,
                           .take = take,
                           .on_step = call.on_step});
    }
    return inner_->plan(
        {.state_dict_of =
             [&](int rank) {
               const auto& ranks = played_.world.ranks;
               return call.state_dict_of(static_cast<int>(
                   std::lower_bound(ranks.begin(), ranks.end(), rank) - ranks.begin()));
             },
         .exchange = exchange,
         .take = take,
         .on_step = call.on_step});
  }

  /// Collective. Whether no rank needs to hear of another.
  Result<bool> derives_alone(const PlanningCall& call) const {
    std::array<std::uint64_t, 1> others = {derives_ ? 0U : 1U};
    Status known;
    for (const int process : call.exchange.played_ranks()) {
      const auto state_dict = call.state_dict_of(process);
      known = known ? Status(state_dict) : known;
      if (state_dict && !KnownLayouts::of(**state_dict).others.empty()) {
        others[0] = 1;
      }
    }
    SHARDMARK_RETURN_IF_ERROR(call.exchange.agree(known));
    SHARDMARK_RETURN_IF_ERROR(call.exchange.all_reduce(others, ReduceOp::max));
    return others[0] == 0;
  }

  bool derives_;  // a rank's plan from layouts alone
  std::unique_ptr<SavePlanner> inner_;
  PlayedSave played_;
};

}  // namespace

std::unique_ptr<SavePlanner> make_played_save_planner(PlannerKind kind, DedupPolicy policy,
                                                      PlayedSave played) {
  return std::make_unique<PlayedSavePlanner>(kind, policy, std::move(played));
}

}  // namespace shardmark
