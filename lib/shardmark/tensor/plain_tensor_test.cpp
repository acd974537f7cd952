// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/plain_tensor.hpp"

#include <gtest/gtest.h>

#include <array>

namespace shardmark {
namespace {

TEST(PlainTensor, IsOneWholeBox) {
  std::array<std::byte, 12> memory{};
  PlainTensor tensor(contiguous_view(memory.data(), Dtype::int16, {2, 3}));
  const auto items = tensor.create_write_items("w");
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].type, WriteItemType::tensor);
  EXPECT_EQ(items[0].tensor_data.chunk, whole_box({2, 3}));
  EXPECT_EQ(items[0].tensor_data.properties.dtype, Dtype::int16);
  EXPECT_EQ(tensor.create_chunk_list(), (std::vector<Box>{whole_box({2, 3})}));
  EXPECT_EQ(tensor.get_tensor_shard({"w", std::nullopt, std::nullopt}).value().data, memory.data());
  EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{0, 0}, 5}).value().num_bytes(), 12);
  EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{1, 0}, 0}).error().code, ErrorCode::not_found);
  EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{0}, 0}).error().code, ErrorCode::not_found);
}

TEST(PlainTensor, EmptyAndScalar) {
  std::byte value{};
  EXPECT_EQ(PlainTensor(contiguous_view(&value, Dtype::bool_, {})).create_chunk_list(),
            (std::vector<Box>{whole_box({})}));
  const PlainTensor empty(contiguous_view(&value, Dtype::bool_, {0, 4}));
  EXPECT_EQ(num_bytes(empty.create_write_items("e")[0]), 0);
}

}  // namespace
}  // namespace shardmark
