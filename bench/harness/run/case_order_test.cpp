// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <set>

#include "bench/harness/run/case_order.hpp"

namespace shardmark::bench {
namespace {

TEST(CaseOrder, EveryRoundHasEveryCaseOnceInAnOrderOfItsOwn) {
  const auto rounds = shuffled_rounds(50, 4, 7);
  ASSERT_EQ(rounds.size(), 4U);
  for (const auto& round : rounds) {
    EXPECT_EQ(round.size(), 50U);
    EXPECT_EQ(std::set<std::size_t>(round.begin(), round.end()).size(), 50U);
  }
  EXPECT_NE(rounds[0], rounds[1]);
  EXPECT_EQ(rounds, shuffled_rounds(50, 4, 7));
  EXPECT_NE(rounds, shuffled_rounds(50, 4, 8));
  EXPECT_TRUE(shuffled_rounds(0, 1, 1).front().empty());
}

}  // namespace
}  // namespace shardmark::bench
