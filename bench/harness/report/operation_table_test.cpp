// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/harness/report/operation_table.hpp"
#include "bench/harness/report/summaries_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(OperationTable, SaysWhereTheKernelCountedOtherwise) {
  Summaries made;
  CaseSummary& save = made.add("save", "a", 1);
  save.bytes_moved = 1000;
  save.bytes_below = 1049;
  CaseSummary& warm = made.add("load", "b", 1);
  warm.bytes_moved = 1000;
  warm.bytes_below = 0;
  warm.cold = CacheState::warm;
  warm.resident_fraction = 1.0;
  const std::string text = operation_table(made.all(), {});
  EXPECT_THAT(text, Not(HasSubstr("below us: save")));
  EXPECT_THAT(text, HasSubstr("below us: load s b: 1000 B read, the kernel counted 0 B (-100 %)"));
  EXPECT_THAT(text, HasSubstr("read certificate: load s b: warm in the worst of 3 repetitions"));
  EXPECT_EQ(operation_table({}, {}), "");
}

}  // namespace
}  // namespace shardmark::bench
