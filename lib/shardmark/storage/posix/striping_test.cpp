// SPDX-License-Identifier: Apache-2.0
// Which stripes count for a file of some length.
#include "shardmark/storage/posix/striping.hpp"

#include <gtest/gtest.h>

namespace shardmark {
namespace {

TEST(Striping, TheComponentOfMostBytesCounts) {
  const StripeComponent small{0, 100, 64, 1};
  const StripeComponent middle{100, 1000, 128, 4};
  const StripeComponent rest{1000, INT64_MAX, 256, 8};
  const Striping striping{{small, middle, rest}};
  EXPECT_EQ(striping.main_component(0), small);
  EXPECT_EQ(striping.main_component(150), small);
  EXPECT_EQ(striping.main_component(250), middle);
  EXPECT_EQ(striping.main_component(1800), middle);
  EXPECT_EQ(striping.main_component(2000), rest);
  EXPECT_EQ(Striping{}.main_component(5), StripeComponent{});
}

}  // namespace
}  // namespace shardmark
