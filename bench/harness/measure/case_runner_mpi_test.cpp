// SPDX-License-Identifier: Apache-2.0
// Which deadline each part of a repetition has.
#include "bench/harness/measure/case_runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "bench/harness/watch/watcher.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;
using ::testing::ElementsAre;
using ::testing::Pair;

constexpr std::int64_t gib = std::int64_t{1} << 30;
double pretended_now_s = 0;

/// Notes what is watched in each of its members.
class WatchedCase final : public BenchmarkCase {
 public:
  WatchedCase() : BenchmarkCase(describe()) {}

  Status set_up() override { return note(); }
  Status prepare() override { return note(); }
  Status operate() override {
    pretended_now_s += takes_s;
    return note();
  }
  Status check(Measurement&) override { return note(); }
  Status tear_down() override { return note(); }

  std::vector<std::pair<std::string, double>> seen;
  double takes_s = 0;

 private:
  static CaseDescription describe() {
    CaseDescription description;
    description.name = "save/m";
    description.planned_bytes = gib;
    return description;
  }

  Status note() {
    const RankSlot& slot = own_slot();
    seen.emplace_back(slot.what.load(),
                      static_cast<double>(slot.deadline_ns - slot.begun_ns) / 1e9);
    return {};
  }
};

double now() {
  return pretended_now_s;
}

void repeat(CaseRunner& runner, WatchedCase& watched) {
  EXPECT_TRUE(runner.warm_up(watched));
}

TEST(CaseRunner, AShortDeadlineIsThatOfTheOperationAlone) {
  CaseRunner runner(world(), {}, 2.5, now);
  WatchedCase watched;
  EXPECT_TRUE(runner.set_up(watched));
  repeat(runner, watched);
  EXPECT_TRUE(runner.tear_down(watched));
  // 1 GiB is expected to take 16 s before anything was measured, and nothing after it took none.
  EXPECT_THAT(watched.seen,
              ElementsAre(Pair("set-up of save/m", 160), Pair("preparation of save/m", 160),
                          Pair("save/m", 2.5), Pair("check of save/m", 160),
                          Pair("tear-down of save/m", 160)));
  EXPECT_EQ(own_slot().deadline_ns, 0);
}

TEST(CaseRunner, WhatWasMeasuredTellsWhatToExpect) {
  CaseRunner runner(world(), {}, std::nullopt, now);
  WatchedCase watched;
  std::vector<double> deadlines;
  for (const double takes_s : {1.0, 40.0, 2.0, 2.0}) {
    watched.takes_s = takes_s;
    watched.seen.clear();
    repeat(runner, watched);
    deadlines.push_back(watched.seen[1].second);
  }
  EXPECT_THAT(deadlines, ElementsAre(160, 60, 400, 400));
}

}  // namespace
}  // namespace shardmark::bench
