// SPDX-License-Identifier: Apache-2.0
// What a phase clock publishes, for whoever watches.
#include "shardmark/profile/current_phase.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "shardmark/profile/phase_times.hpp"

namespace shardmark {
namespace {

TEST(CurrentPhase, FollowsTheClockAndIsNoneBetweenOperations) {
  publish_phase(std::nullopt, 0);
  EXPECT_FALSE(current_phase().phase);
  EXPECT_EQ(current_phase().for_s, 0);
  PhaseClock clock(Phase::hooks);
  EXPECT_EQ(current_phase().phase, Phase::hooks);
  clock.enter(Phase::write);
  EXPECT_EQ(current_phase().phase, Phase::write);
  EXPECT_GE(current_phase().for_s, 0);
  clock.stop();
  EXPECT_FALSE(current_phase().phase);
}

}  // namespace
}  // namespace shardmark
