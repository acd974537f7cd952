// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {
namespace {

constexpr std::array<std::string_view, 3> planner_names = {"coordinator", "tree", "layout"};

}  // namespace

std::optional<PlannerKind> planner_kind_from_name(std::string_view name) noexcept {
  const auto at = std::find(planner_names.begin(), planner_names.end(), name);
  if (at == planner_names.end()) {
    return std::nullopt;
  }
  return static_cast<PlannerKind>(at - planner_names.begin());
}

std::string_view planner_kind_name(PlannerKind kind) noexcept {
  return planner_names[static_cast<std::size_t>(kind)];
}

std::unique_ptr<SavePlanner> make_save_planner(PlannerKind kind, DedupPolicy policy) {
  switch (kind) {
    case PlannerKind::coordinator:
      return make_coordinator_save_planner(policy);
    case PlannerKind::tree:
      return make_tree_save_planner(policy);
    case PlannerKind::layout:
      break;
  }
  return make_layout_save_planner(policy);
}

}  // namespace shardmark
