// SPDX-License-Identifier: Apache-2.0
// Edge cases 18 to 25: items, look-up and names.
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"

namespace shardmark {
namespace {

/// Rank 0 of two holds rows 0 and 2 of 3, in memory of its own.
struct TwoBoxes {
  ShardedTensor make(std::int64_t rank) {
    const auto spec =
        ShardingSpec::make({3, 2},
                           {{{{2, 0}, {1, 2}}, 0}, {{{0, 0}, {1, 2}}, 0}, {{{1, 0}, {1, 2}}, 1}})
            .value();
    std::vector<TensorView> views;
    for (std::size_t i = 0; i < spec.boxes_of(rank).size(); ++i) {
      views.push_back(contiguous_view(memory.data() + 2 * i, Dtype::uint8, {1, 2}));
    }
    return ShardedTensor::from_local(views, Dtype::uint8, spec, rank).value();
  }
  std::array<std::byte, 4> memory{};
};

TEST(EdgeCase, N18_KeyEqualityIgnoresTheHint) {
  const MetadataIndex a{"w", Dims{2, 0}, 0};
  EXPECT_EQ(a, (MetadataIndex{"w", Dims{2, 0}, 7}));
  EXPECT_EQ(a, (MetadataIndex{"w", Dims{2, 0}, std::nullopt}));
  EXPECT_FALSE(a == (MetadataIndex{"w", Dims{2, 1}, 0}));
  EXPECT_FALSE(a == (MetadataIndex{"v", Dims{2, 0}, 0}));
  EXPECT_FALSE(a == (MetadataIndex{"w", std::nullopt, 0}));
}

TEST(EdgeCase, N19_AWrongHintStillFindsTheChunk) {
  TwoBoxes two;
  const ShardedTensor tensor = two.make(0);
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const std::optional<std::int64_t> hint :
       {std::optional<std::int64_t>(), std::optional<std::int64_t>(0),
        std::optional<std::int64_t>(1), std::optional<std::int64_t>(2),
        std::optional<std::int64_t>(-1), std::optional(most), std::optional(-most - 1)}) {
    EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{2, 0}, hint})->data, two.memory.data());
    EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{0, 0}, hint})->data, two.memory.data() + 2);
  }
}

TEST(EdgeCase, N20_UnknownAndMissingOffsetAreDifferentErrors) {
  TwoBoxes two;
  const ShardedTensor tensor = two.make(0);
  const Error unknown = tensor.get_tensor_shard({"w", Dims{1, 0}, 0}).error();
  const Error missing = tensor.get_tensor_shard({"w", std::nullopt, 0}).error();
  EXPECT_EQ(unknown.code, ErrorCode::not_found);
  EXPECT_EQ(missing.code, ErrorCode::invalid_argument);
  EXPECT_NE(unknown.message, missing.message);
  EXPECT_NE(unknown.message.find("[1, 0]"), std::string::npos);
}

TEST(EdgeCase, N21_NonContiguousLocalViewsAreViewedAsTheyLie) {
  // A 2 x 3 tensor kept transposed, every other element of a bigger buffer, backwards.
  std::array<std::byte, 12> buffer{};
  for (std::size_t i = 0; i < buffer.size(); ++i) {
    buffer[i] = static_cast<std::byte>(i);
  }
  const TensorView local{buffer.data() + 11, Dtype::uint8, {2, 3}, {-2, -4}};
  const std::array placements = {Placement::strided_shard(1, 2)};
  const TensorLayout layout =
      make_tensor_layout({2, 6}, Dtype::uint8, DeviceMesh::row_major({2}).value(), placements)
          .value();  // 6 columns in 2 pieces of 3, each 2 + 1: columns 0, 1, 3, 4 and 2, 5
  const TensorView held{buffer.data() + 11, Dtype::uint8, {2, 2}, {-2, -4}};
  DTensor tensor = DTensor::from_local(held, layout, 1).value();
  const auto second = tensor.get_tensor_shard({"w", Dims{0, 5}, {}}).value();
  EXPECT_EQ(second.sizes, (Dims{2, 1}));
  EXPECT_EQ(second.data, buffer.data() + 7);
  EXPECT_EQ(second.strides, (Dims{-2, -4}));
  EXPECT_EQ(PlainTensor(local).get_tensor_shard({"w", {}, {}})->strides, local.strides);
}

TEST(EdgeCase, N22_TheHooksAgreeOnTheBoxes) {
  TwoBoxes two;
  for (const std::int64_t rank : {0, 1, 2}) {
    const ShardedTensor tensor = two.make(rank);
    const auto items = tensor.create_write_items("w");
    const auto chunks = tensor.create_chunk_list();
    ASSERT_EQ(items.size(), chunks.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      EXPECT_EQ(items[i].tensor_data.chunk, chunks[i]);
      EXPECT_EQ(items[i].index.offset, chunks[i].offsets);
      EXPECT_EQ(tensor.get_tensor_shard(items[i].index)->sizes, chunks[i].sizes);
    }
  }
}

TEST(EdgeCase, N23_NoLocalBoxesOnSomeRanks) {
  TwoBoxes two;
  const ShardedTensor tensor = two.make(2);
  EXPECT_TRUE(tensor.create_write_items("w").empty());
  EXPECT_TRUE(tensor.create_chunk_list().empty());
  EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{0, 0}, 0}).error().code, ErrorCode::not_found);
  const auto nothing =
      FlatShard::from_buffer(contiguous_view<std::byte>(nullptr, Dtype::uint8, {3}),
                             {{4}, Dtype::uint8, whole_box({4}), 0, {10, 13}});
  EXPECT_TRUE(nothing->create_chunk_list().empty()) << "its range holds other tensors only";
}

TEST(EdgeCase, N24_NamesOfAnyKind) {
  TwoBoxes two;
  ShardedTensor tensor = two.make(0);
  StateDict state;
  const std::string longest(max_fqn_bytes, 'n');
  for (const std::string& name : {std::string("a.b.c"), std::string("a/b"),
                                  std::string("gr\xC3\xB6\xC3\x9F"
                                              "e"),
                                  std::string(), std::string("."), longest}) {
    EXPECT_TRUE(state.add(name, tensor)) << name.substr(0, 20);
    ASSERT_NE(state.find(name), nullptr);
    EXPECT_EQ(state.find(name)->tensor->create_write_items(name)->front().index.fqn, name);
  }
  EXPECT_FALSE(state.add(longest + "n", tensor));
  EXPECT_FALSE(state.add("\xC3(", tensor)) << "not UTF-8";
}

TEST(EdgeCase, N25_DuplicateKeysAreAnError) {
  TwoBoxes two;
  ShardedTensor tensor = two.make(0);
  std::array<std::byte, 1> object{};
  StateDict state;
  ASSERT_TRUE(state.add("a.b", tensor));
  for (const Status& twice :
       {state.add("a.b", tensor), state.add_object("a.b", std::span<std::byte>(object))}) {
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code, ErrorCode::already_exists);
    EXPECT_NE(twice.error().message.find("'a.b'"), std::string::npos);
  }
}

}  // namespace
}  // namespace shardmark
