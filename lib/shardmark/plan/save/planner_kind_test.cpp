// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {
namespace {

TEST(SavePlanner, KindsHaveNames) {
  for (const PlannerTraits& planner : planner_table()) {
    EXPECT_EQ(planner_kind_from_name(planner.name), planner.kind);
    EXPECT_EQ(planner_kind_name(planner.kind), planner.name);
    EXPECT_NE(make_save_planner(planner.kind, DedupPolicy::balanced), nullptr);
  }
  EXPECT_FALSE(planner_kind_from_name("zzz"));
}

}  // namespace
}  // namespace shardmark
