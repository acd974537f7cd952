// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {
namespace {

constexpr std::array planners = {
    PlannerTraits{.kind = PlannerKind::coordinator,
                  .name = "coordinator",
                  .make = make_coordinator_save_planner},
    PlannerTraits{.kind = PlannerKind::tree,
                  .name = "tree",
                  .make = make_tree_save_planner,
                  .asks_for_nodes = true},
    PlannerTraits{.kind = PlannerKind::layout,
                  .name = "layout",
                  .make = make_layout_save_planner,
                  .derives = true},
};

}  // namespace

std::span<const PlannerTraits> planner_table() noexcept {
  return planners;
}

const PlannerTraits& planner_traits(PlannerKind kind) noexcept {
  return *std::ranges::find(planners, kind, &PlannerTraits::kind);
}

std::optional<PlannerKind> planner_kind_from_name(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(planners, name, &PlannerTraits::name);
  return found == planners.end() ? std::nullopt : std::optional(found->kind);
}

std::string_view planner_kind_name(PlannerKind kind) noexcept {
  return planner_traits(kind).name;
}

std::unique_ptr<SavePlanner> make_save_planner(PlannerKind kind, DedupPolicy policy) {
  return planner_traits(kind).make(policy);
}

}  // namespace shardmark
