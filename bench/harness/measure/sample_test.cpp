// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "bench/harness/measure/sample.hpp"

namespace shardmark::bench {
namespace {

TEST(Spread, NamesTheLowestOfTheSlowest) {
  const std::vector<double> seconds = {1, 4, 3, 4};
  const RankSpread spread = spread_of(seconds);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.mean, 3);
  EXPECT_EQ(spread.max, 4);
  EXPECT_EQ(spread.slowest_rank, 1);
  EXPECT_DOUBLE_EQ(imbalance_of(seconds), 4.0 / 3.0);
  EXPECT_EQ(imbalance_of(std::vector<double>{0, 0}), 1);
}

}  // namespace
}  // namespace shardmark::bench
