// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {
namespace {

constexpr PlannerKind all_kinds[] = {PlannerKind::coordinator, PlannerKind::tree,
                                     PlannerKind::layout};

TEST(SavePlanner, KindsHaveNames) {
  for (const PlannerKind kind : all_kinds) {
    EXPECT_EQ(planner_kind_from_name(planner_kind_name(kind)), kind);
  }
  EXPECT_FALSE(planner_kind_from_name("zzz"));
}

}  // namespace
}  // namespace shardmark
