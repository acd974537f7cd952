// SPDX-License-Identifier: Apache-2.0
// What the sharded types refuse, and the examples of their documentation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/tensor/ragged_shard.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;

TensorView planned(const Dims& sizes, Dtype dtype = Dtype::float32) {
  return contiguous_view<std::byte>(nullptr, dtype, sizes);
}

TEST(ShardedTensor, ChecksItsListWhenBuilt) {
  const auto refuses = [](std::vector<OwnedBox> boxes, const char* why) {
    const auto spec = ShardingSpec::make({4, 4}, std::move(boxes));
    ASSERT_FALSE(spec) << why;
    EXPECT_EQ(spec.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(spec.error().message, HasSubstr(why));
  };
  refuses({{{{0, 0}, {4, 3}}, 0}}, "no box holds element [0, 3]");
  refuses({{{{0, 0}, {4, 4}}, 0}, {{{3, 3}, {1, 1}}, 1}}, "overlap at [3, 3]");
  refuses({{{{0, 0}, {5, 4}}, 0}}, "out of bounds");
  refuses({{{{0, 0}, {4, 4}}, 0}, {{{5, 0}, {0, 4}}, 1}}, "out of bounds");
  refuses({{{{0}, {4}}, 0}}, "dimensions");
  refuses({{{{0, 0}, {4, 4}}, -1}}, "rank -1");
  // A gap and an overlap that cancel in volume.
  refuses({{{{0, 0}, {2, 4}}, 0}, {{{1, 0}, {2, 4}}, 1}}, "overlap at [1, 0]");
}

TEST(ShardedTensor, LookUpErrorsDiffer) {
  const auto spec = ShardingSpec::make({4}, {{{{2}, {2}}, 0}, {{{0}, {2}}, 0}}).value();
  const std::array locals = {planned({2}), planned({2})};
  const auto tensor = ShardedTensor::from_local(locals, Dtype::float32, spec, 0).value();
  EXPECT_EQ(tensor.create_chunk_list(), (std::vector<Box>{{{0}, {2}}, {{2}, {2}}}));
  const auto missing = tensor.get_tensor_shard({"w", std::nullopt, 0});
  const auto unknown = tensor.get_tensor_shard({"w", Dims{1}, 0});
  EXPECT_EQ(missing.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(missing.error().message, HasSubstr("no offset given"));
  EXPECT_EQ(unknown.error().code, ErrorCode::not_found);
  EXPECT_THAT(unknown.error().message, HasSubstr("no local box at offset [1]"));
  EXPECT_TRUE(ShardedTensor::from_local({}, Dtype::float32, spec, 7)->create_chunk_list().empty());
  EXPECT_FALSE(ShardedTensor::from_local({}, Dtype::float32, spec, 0));
  const std::array wrong = {planned({2}), planned({3})};
  EXPECT_FALSE(ShardedTensor::from_local(wrong, Dtype::float32, spec, 0));
  EXPECT_FALSE(ShardedTensor::from_local(locals, Dtype::int8, spec, 0));
}

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

TEST(GroupedExperts, RefusesOtherCutsOfTheExperts) {
  const DeviceMesh mesh = DeviceMesh::row_major({2}).value();
  const auto made = [&](const Dims& sizes, const char* placements, const Dims& local) {
    const auto layout =
        make_tensor_layout(sizes, Dtype::float32, mesh, parse_placements(placements).value());
    return GroupedExperts::from_local(planned(local), *layout, 0);
  };
  EXPECT_TRUE(made({4, 3}, "S(0)", {2, 3}));
  EXPECT_FALSE(made({4, 3}, "S(1)", {4, 2})) << "the experts are not dealt out";
  EXPECT_FALSE(made({4}, "S(0)", {2})) << "no dimension besides the experts";
  EXPECT_FALSE(made({4, 3}, "SS(0,2)", {2, 3})) << "strided";
  EXPECT_FALSE(made({4, 3}, "S(0)", {2, 3})->expert(4));
}

}  // namespace
}  // namespace shardmark
