// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/phase_times.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace shardmark {
namespace {

TEST(PhaseClock, EventsAreTheStretchesOfTheirPhases) {
  PhaseClock clock(Phase::create);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  {
    const ScopedPhase write(clock, Phase::write);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const PhaseTimes times = clock.stop();
  const auto& events = clock.events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].phase, Phase::create);
  EXPECT_EQ(events[1].phase, Phase::write);
  EXPECT_EQ(events[2].phase, Phase::create);
  std::int64_t total_ns = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    total_ns += events[i].end_ns - events[i].begin_ns;
    EXPECT_TRUE(i == 0 || events[i].begin_ns == events[i - 1].end_ns);
  }
  EXPECT_NEAR(static_cast<double>(total_ns) * 1e-9, times.total_s(), 1e-6);
}

TEST(PhaseClock, ALongListKeepsItsLongestStretchesAndEverySecond) {
  PhaseClock clock(Phase::wait);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  for (int i = 0; i < 100'000; ++i) {
    clock.enter(i % 2 == 0 ? Phase::stage : Phase::write);
  }
  const PhaseTimes times = clock.stop();
  EXPECT_LE(clock.events().size(), PhaseClock::max_events);
  ASSERT_FALSE(clock.events().empty());
  EXPECT_EQ(clock.events().front().phase, Phase::wait);  // 30 ms are never the shortest
  EXPECT_NEAR(times.total_s(), clock.elapsed_s(), 1e-3);
}

}  // namespace
}  // namespace shardmark
