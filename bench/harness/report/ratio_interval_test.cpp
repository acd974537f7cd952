// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/ratio_interval.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace shardmark::bench {
namespace {

std::vector<double> one_to(int n) {
  std::vector<double> values;
  for (int i = n; i >= 1; --i) {
    values.push_back(i);
  }
  return values;
}

// The ranks of any table of the sign test's intervals: n, and the order statistics at 95 %.
TEST(RatioInterval, HasTheRanksOfTheSignTest) {
  for (const auto& [n, low, high] :
       {std::array{6, 1, 6}, std::array{8, 1, 8}, std::array{9, 2, 8}, std::array{12, 3, 10},
        std::array{15, 4, 12}, std::array{20, 6, 15}, std::array{24, 7, 18}}) {
    const auto found = interval_over(one_to(n));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->low, low) << n;
    EXPECT_EQ(found->high, high) << n;
    EXPECT_DOUBLE_EQ(found->median, (n + 1) / 2.0);
    EXPECT_EQ(found->pairs, n);
    EXPECT_TRUE(found->is_certain());
  }
}

TEST(RatioInterval, IsAllOfFewAndCertainOfNone) {
  const auto found = interval_over({1.2, 1.0, 1.1});
  ASSERT_TRUE(found);
  EXPECT_EQ(ratio_text(*found), "1.10 [1.00..1.20]");
  EXPECT_FALSE(found->is_certain());
  EXPECT_FALSE(interval_over({}));
}

}  // namespace
}  // namespace shardmark::bench
