// SPDX-License-Identifier: Apache-2.0
// Who asks where a rank is hears rank, phase and case.
#include "bench/harness/run/activity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "shardmark/profile/current_phase.hpp"

namespace shardmark::bench {
namespace {

using ::testing::ContainsRegex;

TEST(Activity, SaysPhaseAndCase) {
  note_world(3, 8);
  note_activity("round 2/9 save/tiny");
  EXPECT_THAT(describe_activity(),
              ContainsRegex("^shardmark: rank 3 of 8 on .*: unmeasured for [0-9.]+ s, in round 2/9 "
                            "save/tiny$"));
  publish_phase(Phase::write, 0);
  EXPECT_THAT(describe_activity(), ContainsRegex(": write for [0-9.]+ s, in round"));
  publish_phase(std::nullopt, 0);
  EXPECT_THAT(describe_activity(), ContainsRegex(": unmeasured for "));
}

}  // namespace
}  // namespace shardmark::bench
