// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/engine_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/harness/report/summaries_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(EngineTable, IsThereOnlyBesideOtherEngines) {
  Summaries summaries;
  summaries.add("save", "auto-direct", 1);
  EXPECT_THAT(engine_tables(summaries.all(), {}), IsEmpty());
}

TEST(EngineTable, HasOursAndTheirsWithShareOfRawFiles) {
  Summaries summaries;
  summaries.add("save", "auto-direct", 1e9);
  CaseSummary& peer = summaries.add("peers", "other-save", 5e8, {{"engine", "other"}});
  peer.own_ratio = RatioInterval{0.98, 0.97, 1.01, 9};
  peer.against_ours = RatioInterval{2, 1.9, 2.1, 9};
  peer.inventory = DiskInventory{5, 100, 0};
  summaries.add_ceiling("posix-per-rank", "posix-per-rank-direct", 2e9);
  const std::string text = engine_tables(summaries.all(), {});
  EXPECT_THAT(text, HasSubstr("shardmark auto-direct"));
  EXPECT_THAT(text, HasSubstr("25%  0.98 [0.97..1.01]  2.00 [1.90..2.10] slower"));
  EXPECT_THAT(text, Not(HasSubstr("! other")));
}

TEST(EngineTable, MarksWhatIsLeftOutAndGivesNoNumber) {
  Summaries summaries;
  CaseSummary& peer = summaries.add("peers", "other-save", 5e8, {{"engine", "other"}});
  peer.skipped = "it does not sync what it writes";
  const std::string text = engine_tables(summaries.all(), {});
  EXPECT_THAT(text, HasSubstr("! other save: left out: it does not sync what it writes"));
  EXPECT_THAT(text, Not(HasSubstr("1.00 s")));
}

TEST(EngineTable, MarksFiguresThatDisagreeAndHasNoVerdict) {
  Summaries summaries;
  CaseSummary& peer = summaries.add("peers", "other-save", 5e8, {{"engine", "other"}});
  peer.own_ratio = RatioInterval{0.5, 0.4, 0.6, 9};
  peer.against_ours = RatioInterval{2, 1.9, 2.1, 9};
  const std::string text = engine_tables(summaries.all(), {});
  EXPECT_THAT(text, HasSubstr("! other save: its own figure is 0.50 [0.40..0.60]"));
  EXPECT_THAT(text, Not(HasSubstr("slower")));
  EXPECT_THAT(text, Not(HasSubstr("2.00")));
}

}  // namespace
}  // namespace shardmark::bench
