// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/progress_line.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace shardmark::bench {
namespace {

TEST(ProgressLine, ClockHasMinutesAndHours) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(32.4), "0:32");
  EXPECT_EQ(clock_text(61), "1:01");
}

TEST(ProgressLine, WritesNothingWhereNobodyLooks) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    ProgressLine line(file, true, 4);
    line.show("round 1/2 save");
    line.step_done();
    line.show("round 1/2 load");
  }
  EXPECT_EQ(std::ftell(file), 0) << "a file is no terminal";
  std::fclose(file);
}

}  // namespace
}  // namespace shardmark::bench
