// SPDX-License-Identifier: Apache-2.0
// How long an operation may take, and what the watcher sees of it.
#include "bench/harness/watch/watched_operation.hpp"

#include <gtest/gtest.h>

#include "bench/harness/watch/watcher.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t gib = std::int64_t{1} << 30;

TEST(Deadline, IsWhatIsConfiguredElseTenTimesWhatIsExpectedAndNeverLessThanAMinute) {
  EXPECT_EQ(deadline_s(2.5, 100), 2.5);
  EXPECT_EQ(deadline_s(std::nullopt, 0), 60);
  EXPECT_EQ(deadline_s(std::nullopt, 6), 60);
  EXPECT_EQ(deadline_s(std::nullopt, 7), 70);
}

TEST(Deadline, AroundAnOperationAShortOneDoesNotCount) {
  EXPECT_EQ(deadline_around_s(2.5, 1), 60);
  EXPECT_EQ(deadline_around_s(2.5, 10), 100);
  EXPECT_EQ(deadline_around_s(300, 1), 300);
}

TEST(ExpectedTime, FollowsTheSlowestRateSoFar) {
  ExpectedTime expected;
  EXPECT_EQ(expected.of(gib), 16);  // before anything was measured
  expected.note(gib, 2);
  EXPECT_EQ(expected.of(gib), 2);
  expected.note(gib, 8);
  expected.note(gib, 1);
  EXPECT_EQ(expected.of(2 * gib), 16);
  expected.note(0, 5);  // no bytes, no rate
  EXPECT_EQ(expected.of(gib), 8);
}

TEST(WatchedOperation, IsDueWhileItLives) {
  const std::int64_t before = own_slot().operation;
  EXPECT_EQ(own_slot().deadline_ns, 0);
  {
    const WatchedOperation operation("save of step 2", 1.5);
    EXPECT_EQ(own_slot().operation, before + 1);
    EXPECT_EQ(own_slot().deadline_ns - own_slot().begun_ns, 1'500'000'000);
    EXPECT_EQ(own_slot().what.load(), "save of step 2");
  }
  EXPECT_EQ(own_slot().deadline_ns, 0);
}

}  // namespace
}  // namespace shardmark::bench
