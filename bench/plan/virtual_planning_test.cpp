// SPDX-License-Identifier: Apache-2.0
#include "bench/plan/virtual_planning.hpp"

#include <gtest/gtest.h>

namespace shardmark::bench {
namespace {

TEST(VirtualPlanning, EveryPlannerStoresTheSameBytes) {
  for (const PlannerTraits& planner : planner_table()) {
    SCOPED_TRACE(planner.name);
    Config config;
    config.model.name = "tiny";
    config.parallel.strategy = "fsdp";
    config.planner.kind = planner.name;
    auto world = VirtualPlanning::make(config, 16);
    ASSERT_TRUE(world) << world.error().message;
    const auto planned = world->plan();
    ASSERT_TRUE(planned) << planned.error().message;
    ASSERT_TRUE(planned->global);
    planned->global->ensure_statistics();
    EXPECT_EQ(planned->global->statistics.num_bytes, world->global_num_bytes());
    EXPECT_EQ(world->played_ranks().front(), 0);
  }
}

TEST(VirtualPlanning, NobodyWaitsForLessThanNothing) {
  Config config;
  config.model.name = "llama3-8b";
  config.parallel.strategy = "megatron";
  config.planner.kind = "layout";
  auto world = VirtualPlanning::make(config, 24);
  ASSERT_TRUE(world) << world.error().message;
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(world->plan());
    for (const int rank : world->played_ranks()) {
      ASSERT_GE(world->timeline_of(rank)[Phase::wait], 0.0)
          << "round " << round << " rank " << rank;
    }
  }
}

}  // namespace
}  // namespace shardmark::bench
