// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/dtensor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {
namespace {

TensorLayout layout_of(const Dims& sizes, const DeviceMesh& mesh, std::string_view placements) {
  const auto parsed = parse_placements(placements).value();
  return make_tensor_layout(sizes, Dtype::uint8, mesh, parsed).value();
}

TEST(DTensor, EveryBoxOfAStridedShardIsFoundByItsCorner) {
  // Even rows of boxes, uneven ones, and a grid of two strided dimensions.
  const std::pair<Dims, std::string_view> cases[] = {
      {{64, 3}, "SS(0,8),R"}, {{61, 3}, "SS(0,7),R"}, {{61, 47}, "SS(0,7),SS(1,5)"}};
  constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
  for (const auto& [sizes, placements] : cases) {
    const auto layout = layout_of(sizes, *DeviceMesh::row_major({2, 2}), placements);
    for (std::int64_t rank = 0; rank < 4; ++rank) {
      const auto local = contiguous_view<std::byte>(nullptr, Dtype::uint8,
                                                    DTensor::local_sizes(layout, rank).value());
      const auto tensor = DTensor::from_local(local, layout, rank).value();
      const auto chunks = tensor.create_chunk_list().value();
      ASSERT_GT(chunks.size(), 2U);
      for (const Box& chunk : chunks) {
        const auto found = tensor.get_tensor_shard({"w", chunk.offsets, {}});
        ASSERT_TRUE(found) << to_string(chunk);
        EXPECT_EQ(found->sizes, chunk.sizes);
        Dims beside = chunk.offsets;
        ++beside[1];
        EXPECT_EQ(tensor.get_tensor_shard({"w", beside, {}}).error().code, ErrorCode::not_found);
      }
      for (const Dims& nowhere : {Dims{far, far}, Dims{-far - 1, 0}, Dims{far, -far - 1}, Dims{}}) {
        EXPECT_EQ(tensor.get_tensor_shard({"w", nowhere, {}}).error().code, ErrorCode::not_found);
      }
    }
  }
}

TEST(DTensor, UnevenShardIsOneBox) {
  const TensorLayout layout = layout_of({5, 3}, DeviceMesh::row_major({4}).value(), "S(0)");
  std::array<std::byte, 6> memory{};
  for (const auto& [rank, rows, offset] : {std::array{0, 2, 0}, {1, 2, 2}, {2, 1, 4}, {3, 0, 5}}) {
    EXPECT_EQ(DTensor::local_sizes(layout, rank).value(), (Dims{rows, 3}));
    auto tensor =
        DTensor::from_local(contiguous_view(memory.data(), Dtype::uint8, {rows, 3}), layout, rank);
    ASSERT_TRUE(tensor) << tensor.error().message;
    const auto chunks = tensor->create_chunk_list().value();
    ASSERT_EQ(chunks, (std::vector<Box>{{{offset, 0}, {rows, 3}}}));
    const auto items = tensor->create_write_items("w").value();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].type, WriteItemType::shard);
    EXPECT_EQ(items[0].tensor_data.chunk, chunks[0]);
    EXPECT_EQ(items[0].tensor_data.size, (Dims{5, 3}));
    EXPECT_EQ(items[0].index.index, 0);
    EXPECT_EQ(num_bytes(items[0]), rows * 3) << "the chunk's bytes, not the tensor's";
    EXPECT_TRUE(tensor->get_tensor_shard({"w", Dims{offset, 0}, 7})) << "a stale hint is harmless";
    EXPECT_EQ(tensor->get_tensor_shard({"w", Dims{offset, 1}, 0}).error().code,
              ErrorCode::not_found);
    EXPECT_EQ(tensor->get_tensor_shard({"w", std::nullopt, 0}).error().code,
              ErrorCode::invalid_argument);
  }
}

TEST(DTensor, RunsAreViewsOfTheLocalTensor) {
  const TensorLayout layout = layout_of({2, 9}, DeviceMesh::row_major({4}).value(), "SS(1,2)");
  std::array<std::byte, 6> memory{};
  for (std::size_t i = 0; i < memory.size(); ++i) {
    memory[i] = static_cast<std::byte>(i);
  }
  auto tensor =
      DTensor::from_local(contiguous_view(memory.data(), Dtype::uint8, {2, 3}), layout, 0).value();
  // Worked example 12 of the index rule: rank 0 holds columns 0, 1 and 5.
  EXPECT_EQ(tensor.create_chunk_list().value(),
            (std::vector<Box>{{{0, 0}, {2, 2}}, {{0, 5}, {2, 1}}}));
  const auto second = tensor.get_tensor_shard({"w", Dims{0, 5}, std::nullopt});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->data, memory.data() + 2);
  EXPECT_EQ(second->sizes, (Dims{2, 1}));
  EXPECT_EQ(second->strides, (Dims{3, 1}));
  EXPECT_EQ(tensor.create_write_items("w").value()[1].index.index, 1);
}

TEST(DTensor, RanksOutsideTheMeshHoldNothing) {
  const TensorLayout layout =
      layout_of({4}, DeviceMesh::strided({2}, {1}, 2).value(), "S(0)");  // ranks 2 and 3
  const TensorView nothing = contiguous_view<std::byte>(nullptr, Dtype::uint8, {0});
  const auto tensor = DTensor::from_local(nothing, layout, 1);
  ASSERT_TRUE(tensor);
  EXPECT_TRUE(tensor->create_write_items("w").value().empty());
  EXPECT_TRUE(tensor->create_chunk_list().value().empty());
  EXPECT_EQ(tensor->layout().mesh.first_rank(), 2) << "the layout is known everywhere";
  const TensorLayout scalar = layout_of({}, layout.mesh, "R");
  const TensorView one = contiguous_view<std::byte>(nullptr, Dtype::uint8, {});
  EXPECT_EQ(DTensor::from_local(one, scalar, 1)->local_num_bytes(), 0);
  EXPECT_EQ(DTensor::from_local(one, scalar, 2)->local_num_bytes(), 1);
}

TEST(DTensor, ScalarsAreReplicatedShards) {
  const TensorLayout layout = layout_of({}, DeviceMesh::row_major({2}).value(), "R");
  std::byte value{7};
  auto tensor = DTensor::from_local(contiguous_view(&value, Dtype::uint8, {}), layout, 1).value();
  EXPECT_EQ(tensor.create_write_items("s").value()[0].type, WriteItemType::shard);
  EXPECT_EQ(tensor.get_tensor_shard({"s", Dims{}, 0}).value().data, &value);
}

TEST(DTensor, AllHooksRefusePartial) {
  const TensorLayout layout = layout_of({4}, DeviceMesh::row_major({2}).value(), "P");
  std::array<std::byte, 4> memory{};
  auto tensor =
      DTensor::from_local(contiguous_view(memory.data(), Dtype::uint8, {4}), layout, 0).value();
  const DTensor& fixed = tensor;
  EXPECT_EQ(tensor.create_write_items("w").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(tensor.create_chunk_list().error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{0}, 0}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(fixed.get_tensor_shard({"w", Dims{0}, 0}).error().code, ErrorCode::invalid_argument);
}

TEST(DTensor, RefusesAnotherLocalTensor) {
  const TensorLayout layout = layout_of({4}, DeviceMesh::row_major({2}).value(), "S(0)");
  std::array<std::byte, 8> memory{};
  EXPECT_FALSE(DTensor::from_local(contiguous_view(memory.data(), Dtype::uint8, {3}), layout, 0));
  EXPECT_FALSE(DTensor::from_local(contiguous_view(memory.data(), Dtype::int16, {2}), layout, 0));
}

TEST(DTensor, MovesToAnyRankAsIfMadeThere) {
  const DeviceMesh mesh = DeviceMesh::strided({2, 3}, {3, 1}, 2).value();  // ranks 2 to 7
  for (const char* placements : {"S(0),S(1)", "R,S(-1)", "SS(0,3),S(0)", "R,R", "P,R"}) {
    const TensorLayout layout = layout_of({7, 5}, mesh, placements);
    const auto made = [&](std::int64_t rank) {
      const Dims sizes = DTensor::local_sizes(layout, rank).value();
      return DTensor::from_local(contiguous_view<std::byte>(nullptr, Dtype::uint8, sizes), layout,
                                 rank)
          .value();
    };
    DTensor moving = made(0);
    for (const std::int64_t rank : {5, 2, 0, 7, 3, 9, 4}) {
      ASSERT_TRUE(moving.move_to_rank(rank));
      const DTensor fresh = made(rank);
      EXPECT_EQ(moving.local_num_bytes(), fresh.local_num_bytes());
      const auto chunks = fresh.create_chunk_list();
      ASSERT_EQ(moving.create_chunk_list().has_value(), chunks.has_value()) << placements;
      if (!chunks) {
        continue;
      }
      EXPECT_EQ(*moving.create_chunk_list(), *chunks) << placements << " on rank " << rank;
      for (const Box& chunk : *chunks) {
        EXPECT_EQ(moving.get_tensor_shard({"w", chunk.offsets, {}}).value().sizes, chunk.sizes);
      }
    }
  }
  std::byte value{};
  DTensor held = DTensor::from_local(contiguous_view(&value, Dtype::uint8, {1}),
                                     layout_of({1}, mesh, "R,R"), 2)
                     .value();
  EXPECT_FALSE(held.move_to_rank(3)) << "its elements are rank 2's";
}

}  // namespace
}  // namespace shardmark
