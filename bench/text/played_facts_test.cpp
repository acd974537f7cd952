// SPDX-License-Identifier: Apache-2.0
#include "bench/text/played_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

TEST(PlayedFacts, SayWhoIsThereAndWhoIsNot) {
  const auto facts = played_facts({512, {0, 1, 2, 3, 256}});
  EXPECT_EQ(facts.at("world_size"), "512");
  EXPECT_EQ(facts.at("ranks"), "0-3,256");
  EXPECT_THAT(facts.at("measured"), HasSubstr("ranks 0-3,256 of 512"));
  EXPECT_THAT(facts.at("not_there"), HasSubstr("other 507 ranks"));
  EXPECT_THAT(facts.at("not_there"), HasSubstr("nothing is extrapolated"));
}

}  // namespace
}  // namespace shardmark::bench
