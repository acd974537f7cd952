// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/harness/report/summaries_test_fixture.hpp"
#include "bench/harness/report/waterfall.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Waterfall, EachLayerIsAShareOfTheOneBefore) {
  Summaries made;
  made.add("save", "shared-direct", 30, {{"backend", "hdf5"}});
  made.add("save", "null", 900, {{"backend", "null"}});
  made.add("load", "shared-direct", 25, {{"backend", "hdf5"}});
  made.add("save", "elsewhere", 10, {{"backend", "hdf5"}}, "other/group");
  made.add_ceiling("memcpy", "memcpy", 200);
  made.add_ceiling("posix-per-rank", "posix-per-rank-direct", 100);
  made.add_ceiling("posix-per-rank", "posix-per-rank-buffered", 80);
  made.add_ceiling("posix-shared", "posix-shared-buffered", 40);
  made.add_ceiling("posix-shared", "posix-shared-direct", 50);
  made.add_ceiling("posix-per-rank", "posix-per-rank-direct", 125, "load");
  const auto falls = waterfalls(made.all());
  ASSERT_EQ(falls.size(), 2U);
  const auto& layers = falls[0].layers;
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_EQ(layers[0].layer, "memcpy");
  EXPECT_FALSE(layers[0].of_below);
  EXPECT_DOUBLE_EQ(*layers[1].of_below, 0.5);
  EXPECT_EQ(layers[2].summary->description->variant, "posix-shared-direct-save");
  EXPECT_DOUBLE_EQ(*layers[2].of_below, 0.5);
  EXPECT_EQ(layers[3].layer, "shardmark");
  EXPECT_DOUBLE_EQ(*layers[3].of_below, 0.6);
  EXPECT_EQ(falls[1].operation, Operation::load);
  ASSERT_EQ(falls[1].layers.size(), 2U);
  EXPECT_DOUBLE_EQ(*falls[1].layers[1].of_below, 0.2);

  const CeilingShare shares = ceiling_shares(made.all()[0], made.all());
  EXPECT_DOUBLE_EQ(shares.at("posix-per-rank"), 0.3);
  EXPECT_DOUBLE_EQ(shares.at("posix-per-rank-buffered"), 0.375);
  EXPECT_DOUBLE_EQ(shares.at("posix-shared"), 0.6);
  EXPECT_DOUBLE_EQ(shares.at("posix-shared-buffered"), 0.75);
  EXPECT_TRUE(ceiling_shares(made.all()[1], made.all()).empty());  // null stores nothing
  EXPECT_TRUE(ceiling_shares(made.all()[3], made.all()).empty());  // no ceiling of its group
  const std::string text = waterfall_text(falls, made.all());
  EXPECT_THAT(text, HasSubstr("waterfall, save of m/s"));
  EXPECT_THAT(text, HasSubstr("60%"));
  EXPECT_THAT(text, HasSubstr("(posix-shared-buffered)"));
  EXPECT_THAT(text, Not(HasSubstr("elsewhere")));
  EXPECT_TRUE(waterfalls({}).empty());
}

}  // namespace
}  // namespace shardmark::bench
