// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/harness/measure/collective_timer.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

double fake_now_s = 0;

TEST(CollectiveTimer, IsTheSlowestRanksTimeOnEveryRank) {
  const CollectiveTimer timer(world(), [] { return fake_now_s; });
  const auto timed = timer.time([] {
    fake_now_s += world().rank() + 1;
    return Status();
  });
  ASSERT_TRUE(timed.status);
  EXPECT_EQ(timed.time.own_s, world().rank() + 1);
  EXPECT_EQ(timed.time.max_s, world().size());
  EXPECT_EQ(timed.time.mean_s, (world().size() + 1) / 2.0);

  const auto failed = timer.time([] {
    return world().is_root() ? Status() : Status(Error{ErrorCode::no_space, "full"});
  });
  EXPECT_EQ(failed.status.has_value(), world().size() == 1);
}

}  // namespace
}  // namespace shardmark::bench
