// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "bench/machine/cache_state.hpp"

namespace shardmark::bench {
namespace {

TEST(CacheState, IsNamedByTheFraction) {
  const auto state = [](std::int64_t resident) {
    return classify(Residency{1000, resident}).state;
  };
  EXPECT_EQ(state(0), CacheState::client_cold);
  EXPECT_EQ(state(9), CacheState::client_cold);
  EXPECT_EQ(state(10), CacheState::partly_cold);
  EXPECT_EQ(state(990), CacheState::partly_cold);
  EXPECT_EQ(state(991), CacheState::warm);
  EXPECT_EQ(classify(Residency{0, 0}).state, CacheState::unknown);
  EXPECT_EQ(classify(std::nullopt).state, CacheState::unknown);
  EXPECT_FALSE(classify(std::nullopt).resident_fraction);
}

}  // namespace
}  // namespace shardmark::bench
