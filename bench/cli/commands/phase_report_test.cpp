// SPDX-License-Identifier: Apache-2.0
// Times of ranks become minimum, mean, maximum and the slowest, for every phase of the list.
#include "bench/cli/commands/phase_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "shardmark/profile/phase.hpp"

namespace shardmark::bench {
namespace {

std::vector<PhaseTimes> two_ranks() {
  std::vector<PhaseTimes> by_rank(2);
  by_rank[0][Phase::write] = 1.0;
  by_rank[1][Phase::write] = 3.0;
  by_rank[0][Phase::flush] = 0.5;
  by_rank[1][Phase::flush] = 0.5;
  return by_rank;
}

constexpr std::array phases = {Phase::write, Phase::flush, Phase::commit};

TEST(PhaseReport, EveryPhaseOfTheListIsInTheDocument) {
  const auto document = phases_document(two_ranks(), phases);
  ASSERT_EQ(document.size(), 3U);
  EXPECT_EQ(document["write"]["min"], 1.0);
  EXPECT_EQ(document["write"]["mean"], 2.0);
  EXPECT_EQ(document["write"]["max"], 3.0);
  EXPECT_EQ(document["write"]["slowest_rank"], 1);
  EXPECT_EQ(document["flush"]["slowest_rank"], 0) << "the lowest of equals";
  EXPECT_EQ(document["commit"]["max"], 0.0);
  const std::array whose = {7, 40};
  EXPECT_EQ(phases_document(two_ranks(), phases, whose)["write"]["slowest_rank"], 40);
}

TEST(PhaseReport, TheTableLeavesOutWhatTookNoTime) {
  const std::string table = phases_table(two_ranks(), phases);
  EXPECT_THAT(table, ::testing::HasSubstr("write"));
  EXPECT_THAT(table, ::testing::HasSubstr("flush"));
  EXPECT_THAT(table, ::testing::Not(::testing::HasSubstr("commit")));
}

}  // namespace
}  // namespace shardmark::bench
