// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shardmark/plan/merge/merged_plans.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::VirtualState;
using ::testing::HasSubstr;

/// What a part of a tree would send, from what random ranks hold.
ByteWriter merged_bytes(VirtualState& state, int first, int end, bool ordered) {
  MergedPlans merged(first, ordered);
  std::vector<WriteItem> items;
  for (int rank = first; rank < end; ++rank) {
    state.move_to(rank);
    EXPECT_TRUE(collect_write_items(state.state, items));
    ByteWriter out;
    EXPECT_TRUE(encode_local_save_plan(items, EmptyBoxes::keep, out));
    EXPECT_TRUE(merged.add(rank, out.bytes()));
  }
  ByteWriter out;
  encode(merged, out);
  return out;
}

TEST(MergedPlans, ComeBackTheSame) {
  RandomSource random;
  for (int round = 0; round < 30; ++round) {
    VirtualState state(random, 9, 5, true);
    const bool ordered = random.one_in(2);
    const ByteWriter bytes = merged_bytes(state, 2, 9, ordered);
    MergedPlans again(2, ordered);
    const Status added = again.add_merged({2, 9}, bytes.bytes());
    ASSERT_TRUE(added) << added.error().message;
    again.bytes_gathered -= bytes.size();
    ByteWriter out;
    encode(again, out);
    EXPECT_TRUE(std::equal(out.bytes().begin(), out.bytes().end(), bytes.bytes().begin(),
                           bytes.bytes().end()));
  }
}

TEST(MergedPlans, DamagedBytesAreRefusedOrHarmless) {
  RandomSource random;
  VirtualState state(random, 5, 4, true);
  const ByteWriter whole = merged_bytes(state, 0, 5, true);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    MergedPlans merged(0, true);
    const Status added = merged.add_merged({0, 5}, whole.bytes().first(size));
    ASSERT_FALSE(added) << size;
    EXPECT_EQ(added.error().code, ErrorCode::data_loss);
    EXPECT_THAT(added.error().message, HasSubstr("plans of ranks 0 to 4: "));
  }
  std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte kept = bytes[i];
    bytes[i] ^= static_cast<std::byte>(1 + random.number(255));
    MergedPlans merged(0, true);
    static_cast<void>(merged.add_merged({0, 5}, bytes));
    bytes[i] = kept;
  }
  MergedPlans others(0, true);
  EXPECT_FALSE(others.add_merged({0, 4}, whole.bytes()));
}

TEST(MergedPlans, AChunkOfLargeExtentsTakesAtMost64Bytes) {
  constexpr int num_chunks = 1000;
  LocalSavePlan local;
  const Dims sizes = {(std::int64_t{1} << 32) - 1, 1 << 16, 1 << 7, 1 << 7};
  local.entries.push_back({"w", EntryKind::tensor, Dtype::int8, sizes, 0, num_chunks});
  for (int i = 0; i < num_chunks; ++i) {
    local.boxes.push_back({{sizes[0] - num_chunks + i, 0, 0, 0}, {1, sizes[1], sizes[2], 1 << 7}});
  }
  ByteWriter one;
  encode(local, one);
  MergedPlans merged;
  ASSERT_TRUE(merged.add(0, one.bytes()));
  ByteWriter out;
  encode(merged, out);
  EXPECT_LE(out.size(), 64U * num_chunks);
}

}  // namespace
}  // namespace shardmark
