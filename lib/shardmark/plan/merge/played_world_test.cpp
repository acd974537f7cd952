// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/played_world.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace shardmark {
namespace {

TEST(PlayedWorld, RanksAreWrittenAsRunsAndReadBack) {
  EXPECT_EQ(ranks_text(std::vector<int>{0, 1, 2, 3, 256, 257, 258, 259}), "0-3,256-259");
  EXPECT_EQ(ranks_text(std::vector<int>{7}), "7");
  EXPECT_EQ(ranks_text(std::vector<int>{0, 2, 3, 5}), "0,2-3,5");
  EXPECT_EQ(describe({512, {0, 1}}), "ranks 0-1 of 512");
  EXPECT_EQ(describe({512, {3}}), "rank 3 of 512");
  std::mt19937 draw(3);
  for (int round = 0; round < 200; ++round) {
    std::set<int> ranks;
    for (unsigned i = 0; i <= draw() % 20; ++i) {
      ranks.insert(static_cast<int>(draw() % 40));
    }
    const std::vector<int> ascending(ranks.begin(), ranks.end());
    const auto read = parse_ranks(ranks_text(ascending));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, ascending);
  }
}

TEST(PlayedWorld, WhatIsNoListOfAscendingRanksIsRefused) {
  for (const char* const text :
       {"", ",", "0,", ",0", "a", "0-", "-1", "-", "0--3", "0 - 3", "1.5", "3-0", "0,0", "0-3,3",
        "4,2", "0-3,2-5", "99999999999", "0x3", "0-2147483647"}) {
    const auto read = parse_ranks(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace shardmark
