// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/number_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shardmark::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NumberList, TakesBlanksAndNothingElse) {
  EXPECT_THAT(*parse_numbers("--x", " 3, 0 ,17"), ElementsAre(3, 0, 17));
  EXPECT_THAT(*parse_numbers("--x", ""), IsEmpty());
  for (const char* bad : {"1,", ",1", "-1", "1.5", "a", "1 2", "9223372036854775808"}) {
    const auto refused = parse_numbers("--x", bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().message, HasSubstr("--x '")) << bad;
  }
}

TEST(NumberList, ExtentsHaveALimit) {
  EXPECT_EQ(parse_extents("--shape", "4,5")->ndim(), 2);
  const auto refused = parse_extents("--shape", "1,1,1,1,1,1,1,1,1");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--shape"));
}

}  // namespace
}  // namespace shardmark::bench
