// SPDX-License-Identifier: Apache-2.0
// Edge cases 26 to 36 of a conformance test: what the global plan of a save must hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "shardmark/testing/edge_cases/planned_boxes.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::BoxState;
using shardmark::testing::BoxTensor;
using shardmark::testing::message_of;
using shardmark::testing::plan_boxes;
using shardmark::testing::plan_for;
using shardmark::testing::RandomSource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EdgeCase, N26_AReplicaOnAllRanksIsWrittenOnce) {
  const Box whole = whole_box({4, 4});
  const auto plan = plan_boxes({4, 4}, {{whole}, {whole}, {whole}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->owners, ElementsAre(0));
  EXPECT_EQ(plan->statistics.items, 3U);
  EXPECT_EQ(plan->statistics.num_bytes, 64);
  EXPECT_EQ(plan->statistics.deduplicated_bytes, 128);
  EXPECT_THAT(plan->statistics.rank_bytes, ElementsAre(64, 0, 0));
  EXPECT_EQ(plan->plan_of(0).writes.size(), 1U);
  EXPECT_TRUE(plan->plan_of(2).writes.empty());
}

TEST(EdgeCase, N27_TheSameCornerWithDifferentSizesIsAnError) {
  EXPECT_THAT(message_of(plan_boxes({4, 4}, {{{{0, 0}, {4, 2}}}, {{{0, 0}, {4, 4}}}})),
              HasSubstr("'w': two chunks start at [0, 0]: rank 0 has [4, 2], rank 1 has [4, 4]"));
}

TEST(EdgeCase, N28_GlobalShapesOrDtypesThatDifferAreAnError) {
  const auto plan_two = [](const BoxTensor& a, const BoxTensor& b) {
    std::vector<BoxState> states(3);
    states[0].add("v", {{1}, Dtype::int8, {whole_box({1})}});
    states[1].add("w", a);
    states[2].add("w", b);
    return plan_for(states);
  };
  const BoxTensor tensor{{4}, Dtype::float32, {whole_box({4})}};
  EXPECT_THAT(message_of(plan_two(tensor, {{5}, Dtype::float32, {whole_box({5})}})),
              HasSubstr("'w': rank 1 has a float32 tensor [4], rank 2 has a float32 tensor [5]"));
  EXPECT_THAT(message_of(plan_two(tensor, {{4}, Dtype::int32, {whole_box({4})}})),
              HasSubstr("'w': rank 1 has a float32 tensor [4], rank 2 has a int32 tensor [4]"));
  EXPECT_THAT(message_of(plan_two(tensor, {{4, 1}, Dtype::float32, {whole_box({4, 1})}})),
              HasSubstr("[4, 1]"));
}

TEST(EdgeCase, N29_EmptyShardsLeaveNoChunk) {
  const Box empty{{4}, {0}};
  const auto plan = plan_boxes({4}, {{{{0}, {4}}}, {empty}, {empty}, {empty}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->chunks.size(), 1U);
  EXPECT_EQ(plan->statistics.items, 1U);
  // A tensor of nothing but empty shards keeps its entry.
  const auto none = plan_boxes({0, 3}, {{whole_box({0, 3})}, {Box{{0, 3}, {0, 0}}}});
  ASSERT_TRUE(none) << none.error().message;
  ASSERT_EQ(none->entries.entries.size(), 1U);
  EXPECT_EQ(none->entries.entries[0].num_chunks, 0U);
}

TEST(EdgeCase, N30_OverlapGapAndOutOfBoundsEachAlone) {
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0}, {4}}}, {{{3}, {7}}}})),
              HasSubstr("'w': chunk [0]+[4] of rank 0 and chunk [3]+[7] of rank 1 overlap at "
                        "element [3]"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0}, {4}}}, {{{5}, {5}}}})),
              HasSubstr("'w': no rank holds element [4]"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0}, {4}}}, {{{4}, {7}}}})),
              HasSubstr("'w': chunk [4]+[7] is out of bounds of [10]"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{-1}, {4}}}})), HasSubstr("out of bounds"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0, 0}, {4, 1}}}})), HasSubstr("'w'"));
}

TEST(EdgeCase, N31_AGapAndAnOverlapThatCancelInVolume) {
  EXPECT_THAT(message_of(plan_boxes({8}, {{{{0}, {4}}}, {{{3}, {4}}}})),
              HasSubstr("overlap at element [3]"));
  EXPECT_THAT(message_of(plan_boxes({4, 4}, {{{{0, 0}, {2, 4}}}, {{{1, 0}, {2, 4}}}})),
              HasSubstr("overlap at element [1, 0]"));
}

TEST(EdgeCase, N32_AnEmptyBoxStrictlyInsideAnotherDoesNoHarm) {
  const auto plan = plan_boxes({8}, {{{{0}, {8}}}, {{{5}, {0}}}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->chunks.size(), 1U);
}

TEST(EdgeCase, N33_TensorAndBytesUnderOneFqn) {
  std::vector<BoxState> states(2);
  states[0].add("w", {{4}, Dtype::uint8, {whole_box({4})}});
  states[1].add_object("w", 4);
  EXPECT_THAT(message_of(plan_for(states)),
              HasSubstr("'w': rank 0 has a uint8 tensor [4], rank 1 has an object of 4 bytes"));
}

TEST(EdgeCase, N34_GapsAreFoundAtOneRankToo) {
  EXPECT_THAT(message_of(plan_boxes({4, 4}, {{{{0, 0}, {4, 3}}}})),
              HasSubstr("no rank holds element [0, 3]"));
}

TEST(EdgeCase, N35_BalanceByRealBytesWithTiesToTheLowestRank) {
  // Four ranks with a quarter of "w" each, and four replicas as big as a quarter.
  std::vector<BoxState> states(4);
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    BoxState& state = states[static_cast<std::size_t>(rank)];
    state.add("w", {{64, 1}, Dtype::float32, {{{16 * rank, 0}, {16, 1}}}});
    for (const char* name : {"n0", "n1", "n2", "n3"}) {
      state.add(name, {{16}, Dtype::float32, {whole_box({16})}});
    }
  }
  const auto plan = plan_for(states);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->statistics.rank_bytes, ElementsAre(128, 128, 128, 128));
  EXPECT_THAT(plan->owners, ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));

  std::vector<std::vector<Box>> nine(9);
  nine[1] = nine[8] = {whole_box({4})};
  EXPECT_THAT(plan_boxes({4}, nine)->owners, ElementsAre(1));
}

/// What a rank lists first must not matter.
TEST(EdgeCase, N36_TheSamePlanForAnyOrderOfEntriesAndBoxes) {
  RandomSource random;
  for (int round = 0; round < 50; ++round) {
    constexpr std::size_t world_size = 5;
    std::vector<std::vector<std::pair<std::string, BoxTensor>>> held(world_size);
    for (const char* fqn : {"a", "b.c", "d", "zz"}) {
      const Dims sizes = random.sizes(static_cast<int>(random.number(4)), 1, 9);
      std::vector<BoxTensor> parts(world_size, BoxTensor{sizes, Dtype::bfloat16, {}});
      for (const Box& box : random.tiling(sizes, 3)) {
        const std::size_t always = random.index(world_size);
        for (std::size_t rank = 0; rank < world_size; ++rank) {
          if (rank == always || random.one_in(3)) {
            parts[rank].boxes.push_back(box);
          }
        }
      }
      for (std::size_t rank = 0; rank < world_size; ++rank) {
        held[rank].emplace_back(fqn, parts[rank]);
      }
    }
    const auto plan_of_held = [&] {
      std::vector<BoxState> states(world_size);
      for (std::size_t rank = 0; rank < world_size; ++rank) {
        for (const auto& [fqn, tensor] : held[rank]) {
          states[rank].add(fqn, tensor);
        }
      }
      return *plan_for(states);
    };
    const auto bytes_of = [](const GlobalSavePlan& plan) {
      ByteWriter out;
      encode(plan.entries, out);
      encode(plan.chunks, plan.entries, out);
      for (int rank = 0; rank < static_cast<int>(world_size); ++rank) {
        encode(plan.plan_of(rank), plan.entries, out);
      }
      return std::move(out).take();
    };
    const GlobalSavePlan first = plan_of_held();
    for (auto& list : held) {
      std::shuffle(list.begin(), list.end(), random.engine());
      for (auto& [fqn, tensor] : list) {
        std::shuffle(tensor.boxes.begin(), tensor.boxes.end(), random.engine());
      }
    }
    const GlobalSavePlan second = plan_of_held();
    ASSERT_EQ(second.owners, first.owners);
    ASSERT_EQ(bytes_of(second), bytes_of(first));
  }
}

}  // namespace
}  // namespace shardmark
