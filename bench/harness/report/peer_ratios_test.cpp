// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/peer_ratios.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "bench/harness/report/summaries_test_fixture.hpp"

namespace shardmark::bench {
namespace {

/// A save of ours and one of another engine, in as many rounds as there are times of ours.
class PeerRatios : public testing::Test {
 protected:
  std::vector<CaseSummary> compared(const std::vector<double>& ours, double peer_over_ours,
                                    double own_over_time) {
    summaries_.add("save", "auto-direct", 1);
    summaries_.add("peers", "other-save", 1, {{"engine", "other"}});
    const auto all = summaries_.all();
    std::vector<CaseSummary> made(all.begin(), all.end());
    std::vector<Sample> samples;
    for (std::size_t round = 0; round < ours.size(); ++round) {
      Sample& mine = samples.emplace_back();
      mine.repetition = static_cast<int>(round);
      mine.time_s = ours[round];
      Sample& theirs = samples.emplace_back();
      theirs.case_index = 1;
      theirs.repetition = static_cast<int>(round);
      theirs.time_s = ours[round] * peer_over_ours;
      theirs.own_s = *theirs.time_s * own_over_time;
    }
    compare_peers(made, samples);
    return made;
  }

  Summaries summaries_;
};

const std::vector<double> eight = {1, 3, 2, 5, 4, 8, 7, 6};

TEST_F(PeerRatios, AreTakenRoundByRound) {
  const auto made = compared(eight, 1.5, 0.99);
  ASSERT_TRUE(made[1].against_ours);
  EXPECT_DOUBLE_EQ(made[1].against_ours->low, 1.5);
  EXPECT_DOUBLE_EQ(made[1].against_ours->high, 1.5);
  EXPECT_DOUBLE_EQ(made[1].own_ratio->median, 0.99);
  EXPECT_EQ(made[1].compared_with, made[0].description);
  EXPECT_EQ(peer_verdict(made[1]), PeerVerdict::slower);
  EXPECT_FALSE(made[0].own_ratio);
}

TEST_F(PeerRatios, TellFasterAndEqual) {
  EXPECT_EQ(peer_verdict(compared(eight, 0.7, 1)[1]), PeerVerdict::faster);
}

TEST_F(PeerRatios, SayNothingOfWhatIsEqual) {
  EXPECT_EQ(verdict_name(peer_verdict(compared(eight, 1, 1)[1])), "cannot tell");
}

TEST_F(PeerRatios, HaveNoVerdictWhereTheFiguresDisagree) {
  const auto made = compared(eight, 1.5, 0.89);
  EXPECT_FALSE(figures_agree(made[1]));
  EXPECT_EQ(peer_verdict(made[1]), PeerVerdict::none);
  EXPECT_TRUE(figures_agree(compared(eight, 1.5, 1.09)[1]));
}

TEST_F(PeerRatios, HaveNoVerdictOfFewRounds) {
  EXPECT_EQ(peer_verdict(compared({1, 2, 3, 4, 5}, 1.5, 1)[1]), PeerVerdict::none);
}

}  // namespace
}  // namespace shardmark::bench
