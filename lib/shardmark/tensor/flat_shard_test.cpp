// SPDX-License-Identifier: Apache-2.0
// The boxes of a range of a flat buffer, counted by hand.
#include "shardmark/tensor/flat_shard.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "shardmark/tensor/planned_memory_test_fixture.hpp"

namespace shardmark {
namespace {

using shardmark::testing::planned;

TEST(FlatShard, HeadMiddleTail) {
  // Elements 10 to 49 of a [3, 4, 5] tensor: the end of matrix 0, matrix 1, part of matrix 2.
  const FlatPosition position{{3, 4, 5}, Dtype::float32, whole_box({3, 4, 5}), 0, {8, 49}};
  const auto tensor = FlatShard::from_buffer(planned({41}), position).value();
  EXPECT_EQ(tensor.create_chunk_list(), (std::vector<Box>{{{0, 1, 3}, {1, 1, 2}},
                                                          {{0, 2, 0}, {1, 2, 5}},
                                                          {{1, 0, 0}, {1, 4, 5}},
                                                          {{2, 0, 0}, {1, 1, 5}},
                                                          {{2, 1, 0}, {1, 1, 4}}}));
  EXPECT_EQ(tensor.local_num_bytes(), 41 * 4);
  EXPECT_FALSE(FlatShard::from_buffer(planned({40}), position)) << "another size";
  EXPECT_FALSE(FlatShard::from_buffer(planned({41}, Dtype::int8), position)) << "another dtype";
  FlatPosition outside = position;
  outside.window.sizes = {4, 4, 5};
  EXPECT_FALSE(FlatShard::from_buffer(planned({41}), outside));
  EXPECT_EQ(flat_part(10, 4, 3), (FlatRange{9, 10}));
  EXPECT_EQ(flat_part(5, 4, 3), (FlatRange{5, 5}));
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_EQ(flat_part(huge, 3, huge).size(), 0);
}

}  // namespace
}  // namespace shardmark
