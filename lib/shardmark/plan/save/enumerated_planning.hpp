// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "shardmark/plan/merge/merged_plans.hpp"
#include "shardmark/plan/merge/plan_tree.hpp"
#include "shardmark/plan/save/make_global_plan.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/protocol/write_item.hpp"

namespace shardmark {

/// How local plans come to the coordinator: each by itself, or merged along a PlanTree.
enum class Gathering : std::uint8_t { one_by_one, along_tree };

/// The part that lists boxes: local plans go to the coordinator, one global plan comes out, each
/// rank gets its own. All of a state dict for the coordinator planner; for others, the entries of
/// which no layout is known.
class EnumeratedPlanning {
 public:
  /// Appends the write items of a rank's entries that take part. Called once for each played rank.
  using Collect = std::function<Status(const StateDict&, std::vector<WriteItem>&)>;
  /// Collective, between gathering and deciding; for checks that need every rank to have been seen.
  using AfterGather = std::function<Status()>;

  EnumeratedPlanning(DedupPolicy policy, Gathering gathering, Collect collect,
                     AfterGather after_gather = {})
      : policy_(policy),
        gathering_(gathering),
        collect_(std::move(collect)),
        after_gather_(std::move(after_gather)) {}

  /// Elements that no rank lists are no error: only a part of a world is there.
  void allow_holes() noexcept { cover_ = Cover::not_looked_at; }

  /// Collective over the exchange. Errors: the same one on every process.
  Result<SavePlanning> plan(const PlanningCall& call);

 private:
  class TreeMerge;

  /// DCP's rule alone asks who was heard of first.
  bool keeps_order() const noexcept { return policy_ == DedupPolicy::dcp; }
  /// Collective. All ranks' plans on the coordinator, none elsewhere.
  Result<MergedPlans> gather_one_by_one(const PlanningCall& call);
  Result<MergedPlans> gather_along(const PlanTree& tree, const PlanningCall& call);
  Result<PlanExchange::Bytes> make_message(const PlanningCall& call, int rank);
  static Status share_entries(SavePlanning& planning, PlanExchange& exchange);
  static Status share_plans(SavePlanning& planning, const PlanTree* tree, const PlanningCall& call);

  DedupPolicy policy_;
  Gathering gathering_;
  Collect collect_;
  AfterGather after_gather_;
  Cover cover_ = Cover::whole;
  std::vector<WriteItem> items_;
  std::size_t last_message_bytes_ = 0;  // those of the next rank are about as many
};

}  // namespace shardmark
