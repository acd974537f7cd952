// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/io_explanation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

IoFacts good() {
  IoFacts facts;
  facts.backend = "hdf5";
  facts.requested = "collective";
  facts.num_bytes = std::int64_t{1} << 30;
  facts.shares = 100;
  facts.misaligned_shares = 5;
  facts.pieces = 120;
  facts.small_pieces = 100;  // many, yet they hold next to nothing
  facts.small_piece_bytes = 1 << 20;
  facts.metadata_share = 0.05;
  return facts;
}

TEST(Explain, SaysNothingWhereNothingIsWrong) {
  EXPECT_TRUE(explain(good()).empty());
  EXPECT_TRUE(explain({}).empty());
}

TEST(Explain, NamesConversionWhoBrokeItAndTheKnob) {
  IoFacts facts = good();
  facts.broken = {{0x02, {"a.weight", "b", "c", "d"}, {2}}, {0x10, {"e"}, {}}};
  const auto found = explain(facts);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].cause, "type-conversion");
  EXPECT_THAT(found[0].text, HasSubstr("by rank 2"));
  EXPECT_THAT(found[0].text, HasSubstr("a.weight, b, c and 1 more"));
  EXPECT_THAT(found[0].knob, HasSubstr("model.dtype"));
  EXPECT_EQ(found[1].cause, "collective-broken");
  EXPECT_THAT(found[1].text, HasSubstr("not simple or scalar dataspaces"));
  EXPECT_THAT(found[1].text, HasSubstr("on all ranks"));
  EXPECT_THAT(found[1].knob, HasSubstr("storage.io"));
}

TEST(Explain, CountsTinyPiecesByTheirBytesAndMisalignedShares) {
  IoFacts facts = good();
  facts.pieces = 1 << 20;
  facts.small_pieces = 1 << 20;
  facts.small_piece_bytes = facts.num_bytes;
  facts.misaligned_shares = 90;
  facts.metadata_share = 0.4;
  const auto found = explain(facts);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].cause, "tiny-pieces");
  EXPECT_THAT(found[0].text, HasSubstr("1.00 KiB a piece"));
  EXPECT_THAT(found[0].knob, HasSubstr("shared-chunked"));
  EXPECT_EQ(found[1].cause, "misaligned");
  EXPECT_THAT(found[1].text, HasSubstr("90 of 100 shares"));
  EXPECT_THAT(found[1].knob, HasSubstr("storage.alignment"));
  EXPECT_EQ(found[2].cause, "metadata");
}

TEST(Explain, DirectIsJudgedByItsMergedRequests) {
  IoFacts facts = good();
  facts.requested = "direct";
  facts.pieces = 1 << 20;
  facts.small_pieces = 1 << 20;
  facts.small_piece_bytes = facts.num_bytes;
  facts.misaligned_shares = 90;
  facts.requests = 100;
  facts.small_requests = 40;
  facts.misaligned_requests = 9;
  EXPECT_TRUE(explain(facts).empty());
  facts.small_requests = 60;
  facts.misaligned_requests = 11;
  facts.metadata_share = 0.4;
  facts.has_virtual = true;
  const auto found = explain(facts);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[0].text, HasSubstr("60 of 100 requests"));
  EXPECT_THAT(found[0].knob, Not(HasSubstr("storage.io")));
  EXPECT_THAT(found[1].text, HasSubstr("11 of 100 requests"));
  EXPECT_THAT(found[1].knob, HasSubstr("storage.alignment"));
  EXPECT_EQ(found[2].cause, "metadata");
}

TEST(Explain, VirtualDatasetsCostTimeWhereTheyAreNotMadeBesideTheWrites) {
  IoFacts facts = good();
  facts.metadata_share = 0.4;
  facts.has_virtual = true;
  facts.requested = "independent";
  ASSERT_EQ(explain(facts).size(), 1U);
  EXPECT_THAT(explain(facts)[0].knob, HasSubstr("virtual datasets"));
  facts.requested = "direct";
  ASSERT_EQ(explain(facts).size(), 1U);
  EXPECT_THAT(explain(facts)[0].knob, Not(HasSubstr("virtual datasets")));
}

TEST(Explain, CausesInWords) {
  EXPECT_EQ(no_collective_cause_text(0x02), "datatype conversion");
  EXPECT_EQ(no_collective_cause_text(0x05), "set to independent, data transforms");
  EXPECT_EQ(no_collective_cause_text(0x8000), "HDF5 cause 0x8000");
}

}  // namespace
}  // namespace shardmark::bench
