// SPDX-License-Identifier: Apache-2.0
// Block-cyclic tensors as ScaLAPACK's users' guide deals them, and layouts that are none.
#include "shardmark/tensor/block_cyclic.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "shardmark/tensor/planned_memory_test_fixture.hpp"

namespace shardmark {
namespace {

using shardmark::testing::planned;

TEST(BlockCyclic, AsScalapackDeals) {
  // 9 x 9 in 2 x 2 blocks over a 2 x 3 grid: the example of ScaLAPACK's users' guide.
  const BlockCyclicLayout layout{{9, 9}, Dtype::float64, DeviceMesh::row_major({2, 3}).value(),
                                 {2, 2}, {0, 1},         {0, 0}};
  EXPECT_EQ(BlockCyclic::local_sizes(layout, 0), (Dims{5, 4}));
  EXPECT_EQ(BlockCyclic::local_sizes(layout, 1), (Dims{5, 3}));
  EXPECT_EQ(BlockCyclic::local_sizes(layout, 5), (Dims{4, 2}));
  const auto tensor = BlockCyclic::from_local(planned({4, 2}, Dtype::float64), layout, 5).value();
  EXPECT_EQ(tensor.create_chunk_list(), (std::vector<Box>{{{2, 4}, {2, 2}}, {{6, 4}, {2, 2}}}));
  EXPECT_EQ(tensor.get_tensor_shard({"A", Dims{2, 5}, 0}).error().code, ErrorCode::not_found);
  EXPECT_EQ(tensor.get_tensor_shard({"A", Dims{4, 4}, 0}).error().code, ErrorCode::not_found);
  EXPECT_EQ(tensor.get_tensor_shard({"A", Dims{10, 4}, 0}).error().code, ErrorCode::not_found);
  EXPECT_EQ(tensor.get_tensor_shard({"A", Dims{-2, 4}, 0}).error().code, ErrorCode::not_found);
  EXPECT_EQ(tensor.get_tensor_shard({"A", std::nullopt, 0}).error().code,
            ErrorCode::invalid_argument);
  for (int wrong = 0; wrong < 6; ++wrong) {
    BlockCyclicLayout bad = layout;
    switch (wrong) {
      case 0:
        bad.block_sizes = {2};
        break;
      case 1:
        bad.block_sizes = {2, 0};
        break;
      case 2:
        bad.grid_dims = {0, 0};
        break;
      case 3:
        bad.grid_dims = {0, 2};
        break;
      case 4:
        bad.source = {0, 3};
        break;
      default:
        bad.dtype = Dtype::float32;
        break;
    }
    EXPECT_FALSE(BlockCyclic::from_local(planned({4, 2}, Dtype::float64), bad, 5)) << wrong;
  }
  BlockCyclicLayout vast = layout;
  vast.block_sizes = {std::int64_t{1} << 62, std::int64_t{1} << 62};
  EXPECT_EQ(BlockCyclic::local_sizes(vast, 0), (Dims{9, 9}));
  EXPECT_EQ(BlockCyclic::local_sizes(vast, 5), (Dims{0, 0}));
}

}  // namespace
}  // namespace shardmark
