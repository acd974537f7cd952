// SPDX-License-Identifier: Apache-2.0
// Lists of boxes with owners: what is refused when they are made, and when they are asked.
#include "shardmark/tensor/sharded_tensor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "shardmark/tensor/planned_memory_test_fixture.hpp"

namespace shardmark {
namespace {

using shardmark::testing::planned;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace shardmark
