// SPDX-License-Identifier: Apache-2.0
// Who is named: whom the others wait for, and who does nothing any more.
#include "bench/harness/watch/late_ranks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shardmark::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double half_life_s = 2;

/// A row of looks, a quarter of a second apart, each a letter a rank: w waits, - works, s stopped,
/// S stopped while it waits.
class Looks {
 public:
  explicit Looks(std::size_t num_ranks) : late_(num_ranks, half_life_s) {}

  Looks& add(const std::string& ranks, int times = 1) {
    for (int i = 0; i < times; ++i) {
      std::vector<RankLook> looks;
      for (const char letter : ranks) {
        looks.push_back({letter == 'w' || letter == 'S', letter == 's' || letter == 'S'});
      }
      now_s_ += 0.25;
      late_.look(now_s_, looks);
    }
    return *this;
  }
  std::vector<std::size_t> late() const { return late_.late(); }

 private:
  LateRanks late_;
  double now_s_ = 1000;
};

TEST(LateRanks, TheOneThatOthersWaitFor) {
  EXPECT_THAT(Looks(4).add("----", 10).add("ww-w", 8).late(), ElementsAre(2));
}

TEST(LateRanks, StoppedOnesEvenWhereTheyWait) {
  EXPECT_THAT(Looks(4).add("wwSw").late(), ElementsAre(2));
  EXPECT_THAT(Looks(4).add("----", 3).add("--s-").late(), ElementsAre(2));
  EXPECT_THAT(Looks(2).add("SS").late(), ElementsAre(0, 1));
}

TEST(LateRanks, ASlowOneThatWaitsForAMomentJustNow) {
  // Most of the time rank 1 is the one at work; at the last look everybody else is.
  EXPECT_THAT(Looks(4).add("w-ww", 7).add("----").add("w-ww", 7).add("-w--").late(),
              ElementsAre(1));
}

TEST(LateRanks, WhoCameInTheEndIsNotLate) {
  EXPECT_THAT(Looks(3).add("-ww", 4).add("ww-", 40).late(), ElementsAre(2));
}

TEST(LateRanks, AllThatAreAtWorkWhereNobodyWaits) {
  EXPECT_THAT(Looks(3).add("---", 8).late(), ElementsAre(0, 1, 2));
}

TEST(LateRanks, OneLookBetweenTwoWaitsNamesNobody) {
  EXPECT_THAT(Looks(3).add("www", 8).add("w-w").add("www").late(), IsEmpty());
}

TEST(LateRanks, NobodyWhereAllWaitForAnotherNode) {
  EXPECT_THAT(Looks(3).add("www", 8).late(), IsEmpty());
}

TEST(LateRanks, AllThatHoldUpTheOthers) {
  EXPECT_THAT(Looks(4).add("-ww-", 8).late(), ElementsAre(0, 3));
}

}  // namespace
}  // namespace shardmark::bench
