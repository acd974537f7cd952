// SPDX-License-Identifier: Apache-2.0
// Units of unequal number, counted by hand.
#include "shardmark/tensor/ragged_shard.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "shardmark/tensor/planned_memory_test_fixture.hpp"

namespace shardmark {
namespace {

using shardmark::testing::planned;

TEST(RaggedShard, UnitsOfElements) {
  const std::array<std::int64_t, 4> units = {3, 1, 0, 4};
  const auto range = [&](std::int64_t rank, int leading) {
    return RaggedShard::held_range({4, 6}, units, rank, leading).value();
  };
  EXPECT_EQ(range(0, -1), (FlatRange{0, 9}));
  EXPECT_EQ(range(1, -1), (FlatRange{9, 12}));
  EXPECT_EQ(range(2, -1), (FlatRange{12, 12}));
  EXPECT_EQ(range(3, -1), (FlatRange{12, 24}));
  EXPECT_EQ(range(0, 1), (FlatRange{0, 18})) << "whole rows";
  const auto tensor = RaggedShard::from_buffer(planned({9}), {4, 6}, range(0, -1)).value();
  EXPECT_EQ(tensor.create_chunk_list(), (std::vector<Box>{{{0, 0}, {1, 6}}, {{1, 0}, {1, 3}}}));
  const std::array<std::int64_t, 2> zero = {0, 0};
  const std::array<std::int64_t, 2> negative = {1, -1};
  const std::array<std::int64_t, 2> huge = {std::int64_t{1} << 62, std::int64_t{1} << 62};
  for (const auto& bad : {zero, negative, huge}) {
    EXPECT_FALSE(RaggedShard::held_range({4}, bad, 0));
  }
  EXPECT_FALSE(RaggedShard::held_range({4, 6}, units, 4));
  EXPECT_FALSE(RaggedShard::held_range({4, 6}, units, 0, 3));
  EXPECT_FALSE(RaggedShard::from_buffer(planned({9}), {4, 6}, {20, 29}));
}

}  // namespace
}  // namespace shardmark
