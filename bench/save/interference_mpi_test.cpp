// SPDX-License-Identifier: Apache-2.0
// Ranks that are done at different times do as many steps.
#include "bench/save/interference.hpp"

#include <gtest/gtest.h>

#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

TEST(Interference, EveryRankStepsUntilTheLastIsDone) {
  InterferenceWorkload workload(world());
  int asked = 0;
  // Rank r is done after r + 1 steps.
  const StepTimes times = workload.run_until([&] { return ++asked > world().rank(); });
  EXPECT_EQ(times.steps, world().size());
  EXPECT_EQ(asked, world().size()) << "asked once after each step";
  EXPECT_GT(times.step_s(), 0);
  EXPECT_EQ(world().all_reduce(times.total_s, MPI_MAX), times.total_s) << "the slowest rank's";
  EXPECT_GE(workload.run_for(0).steps, 1);
  EXPECT_EQ(StepTimes().step_s(), 0) << "of no steps";
}

}  // namespace
}  // namespace shardmark::bench
