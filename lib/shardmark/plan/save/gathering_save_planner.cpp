// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/known_layouts.hpp"
#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/save/enumerated_planning.hpp"
#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {
namespace {

class GatheringSavePlanner final : public SavePlanner {
 public:
  GatheringSavePlanner(DedupPolicy policy, Gathering gathering)
      : policy_(policy), gathering_(gathering) {}

  Result<SavePlanning> plan(const PlanningCall& call) override {
    LayoutAgreement agreement;
    EnumeratedPlanning planning(
        policy_, gathering_,
        [&agreement](const StateDict& state_dict, std::vector<WriteItem>& items) {
          agreement.add(state_dict);
          return collect_write_items(state_dict, items);
        },
        [&]() -> Status {
          SHARDMARK_RETURN_IF_ERROR(agreement.reduce(call.exchange));
          return agreement.tensors_agree()
                     ? Status()
                     : explain_disagreement(call.state_dict_of, call.exchange);
        });
    return planning.plan(call);
  }

 private:
  DedupPolicy policy_;
  Gathering gathering_;
};

}  // namespace

std::unique_ptr<SavePlanner> make_coordinator_save_planner(DedupPolicy policy) {
  return std::make_unique<GatheringSavePlanner>(policy, Gathering::one_by_one);
}

std::unique_ptr<SavePlanner> make_tree_save_planner(DedupPolicy policy) {
  return std::make_unique<GatheringSavePlanner>(policy, Gathering::along_tree);
}

}  // namespace shardmark
