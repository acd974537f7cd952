// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "bench/harness/report/time_spread.hpp"
#include "bench/harness/run/progress_line.hpp"

namespace shardmark::bench {
namespace {

TEST(Units, OfTimes) {
  EXPECT_EQ(spread_text({1.3, 1.2, 16}, {}), "1.30 s [1.20..16.0]");
  EXPECT_EQ(spread_text({0.0123, 0.01, 1}, {1e-3, "ms"}), "12.3 ms [10.0..1000]");
  EXPECT_EQ(spread_text({4.5e-6, 4e-6, 5e-6}, {1e-3, "ms"}), "0.00450 ms [0.00400..0.00500]");
  EXPECT_EQ(clock_text(32.4), "0:32");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(-1), "0:00");
}

}  // namespace
}  // namespace shardmark::bench
