// SPDX-License-Identifier: Apache-2.0
// Edge cases 39 to 46 of a conformance test as far as they need no ranks: what a load plans.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "shardmark/testing/edge_cases/saved_boxes.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::BoxState;
using shardmark::testing::BoxTensor;
using shardmark::testing::plan_load;
using shardmark::testing::RandomSource;
using shardmark::testing::Saved;
using ::testing::HasSubstr;

Error error_of(const Saved& saved, BoxTensor tensor) {
  BoxState wanted;
  wanted.add("w", std::move(tensor));
  const auto plan = plan_load(saved, wanted);
  EXPECT_FALSE(plan);
  return plan ? Error{} : plan.error();
}

TEST(EdgeCase, N39_HolesInTheSavedChunksFailBeforeReading) {
  Saved saved;
  saved.add("w", Dtype::float32, {8}, {{{0}, {3}}, {{4}, {4}}});
  const Error hole = error_of(saved, {{8}, Dtype::float32, {{{2}, {4}}}});
  EXPECT_EQ(hole.code, ErrorCode::data_loss);
  EXPECT_THAT(hole.message, HasSubstr("'w': the checkpoint holds element [3] nowhere"));
  // A hole and an overlap of equal volume.
  Saved doubled;
  doubled.add("w", Dtype::float32, {8}, {{{0}, {4}}, {{3}, {4}}});
  const Error overlap = error_of(doubled, {{8}, Dtype::float32, {whole_box({8})}});
  EXPECT_EQ(overlap.code, ErrorCode::data_loss);
  EXPECT_THAT(overlap.message, HasSubstr("element [3] twice"));
  // Who wants nothing of the hole may load.
  BoxState wanted;
  wanted.add("w", {{8}, Dtype::float32, {{{4}, {4}}}});
  EXPECT_TRUE(plan_load(saved, wanted));
}

TEST(EdgeCase, N40_AMissingKeyIsAnErrorAndAnUnexpectedOneIsNot) {
  Saved saved;
  saved.add("v", Dtype::float32, {8}, {whole_box({8})});
  EXPECT_EQ(error_of(saved, {{8}, Dtype::float32, {whole_box({8})}}).code, ErrorCode::not_found);
  saved.add("w", Dtype::float32, {8}, {whole_box({8})});
  BoxState wanted;
  wanted.add("w", {{8}, Dtype::float32, {whole_box({8})}});
  EXPECT_EQ(plan_load(saved, wanted)->reads.size(), 1U);
  // Not strict: what is there is read, the rest reported and left alone.
  wanted.add("x", {{8}, Dtype::float32, {whole_box({8})}});
  EXPECT_EQ(plan_load(saved, wanted).error().code, ErrorCode::not_found);
  const auto lenient = plan_load(saved, wanted, MissingEntries::leave_alone);
  ASSERT_TRUE(lenient) << lenient.error().message;
  EXPECT_EQ(lenient->reads.size(), 1U);
  EXPECT_THAT(lenient->missing, ::testing::ElementsAre("x"));
  EXPECT_THAT(lenient->wanted_entries, ::testing::ElementsAre(1U));  // "w"; "v" is unexpected
}

TEST(EdgeCase, N41_N42_OtherShapesDtypesAndKindsAreAMismatch) {
  Saved saved;
  saved.add("w", Dtype::float32, {4, 2}, {whole_box({4, 2})});
  for (const BoxTensor& wanted : {BoxTensor{{4, 3}, Dtype::float32, {whole_box({4, 3})}},
                                  BoxTensor{{4}, Dtype::float32, {whole_box({4})}},
                                  BoxTensor{{4, 2}, Dtype::int32, {whole_box({4, 2})}}}) {
    const Error error = error_of(saved, wanted);
    EXPECT_EQ(error.code, ErrorCode::mismatch);
    EXPECT_THAT(error.message, HasSubstr("the checkpoint has a float32 tensor [4, 2]"));
  }
  BoxState object;
  object.add_object("w", 32);
  EXPECT_EQ(plan_load(saved, object).error().code, ErrorCode::mismatch);
  Saved bytes;
  bytes.add("w", Dtype::uint8, {4}, {whole_box({4})}, EntryKind::object);
  EXPECT_EQ(error_of(bytes, {{4}, Dtype::uint8, {whole_box({4})}}).code, ErrorCode::mismatch);
  BoxState longer;
  longer.add_object("w", 5);
  EXPECT_EQ(plan_load(bytes, longer).error().code, ErrorCode::mismatch);
  // A local box beyond the shape, from a type whose hooks contradict each other.
  EXPECT_EQ(error_of(saved, {{4, 2}, Dtype::float32, {{{3, 0}, {2, 2}}}}).code,
            ErrorCode::mismatch);
}

TEST(EdgeCase, N43_EmptyBoxesReadNothing) {
  Saved saved;
  saved.add("w", Dtype::float32, {8}, {whole_box({8})});
  BoxState wanted;
  wanted.add("w", {{8}, Dtype::float32, {{{8}, {0}}, {{5}, {0}}, {{0}, {0}}}});
  const auto plan = plan_load(saved, wanted);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(plan->reads.empty());
  EXPECT_EQ(plan->num_bytes, 0);
}

TEST(EdgeCase, N45_EveryRankReadsAReplicaAndScalarsMeet) {
  Saved saved;
  saved.add("w", Dtype::float64, {}, {Box{}});
  BoxState wanted;
  wanted.add("w", {{}, Dtype::float64, {Box{}}});
  const auto plan = plan_load(saved, wanted);
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->reads.size(), 1U);
  EXPECT_TRUE(plan->reads[0].whole_chunk);
  EXPECT_EQ(plan->num_bytes, 8);
}

/// The set of reads does not depend on the order in which a program lists names and boxes.
TEST(EdgeCase, N46_ItemOrderDoesNotChangeTheResult) {
  RandomSource random;
  for (int round = 0; round < 50; ++round) {
    Saved saved;
    std::vector<std::pair<std::string, BoxTensor>> wanted;
    for (const char* fqn : {"a", "b", "c"}) {
      const Dims sizes = random.sizes(static_cast<int>(random.number(4)), 1, 9);
      saved.add(fqn, Dtype::int16, sizes, random.tiling(sizes, 4));
      wanted.emplace_back(fqn, BoxTensor{sizes, Dtype::int16, random.tiling(sizes, 3)});
    }
    const auto reads = [&] {
      BoxState state;
      for (const auto& [fqn, tensor] : wanted) {
        state.add(fqn, tensor);
      }
      std::set<std::tuple<std::uint32_t, std::uint64_t, Dims, Box>> all;
      const auto plan = plan_load(saved, state);
      EXPECT_TRUE(plan);
      for (const PlannedRead& read : plan->reads) {
        EXPECT_TRUE(all.emplace(read.entry, read.chunk, read.source, read.box).second);
      }
      return all;
    };
    const auto first = reads();
    std::shuffle(wanted.begin(), wanted.end(), random.engine());
    for (auto& [fqn, tensor] : wanted) {
      std::shuffle(tensor.boxes.begin(), tensor.boxes.end(), random.engine());
    }
    ASSERT_EQ(reads(), first);
  }
}

}  // namespace
}  // namespace shardmark
