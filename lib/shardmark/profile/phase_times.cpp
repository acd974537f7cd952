// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/phase_times.hpp"

#include <algorithm>

#include "shardmark/profile/current_phase.hpp"

namespace shardmark {
namespace {

double seconds_of(PhaseClock::Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

PhaseClock::PhaseClock(Phase first) : current_(first), start_(Clock::now()), since_(start_) {
  publish_phase(current_, seconds_of(start_));
}

void PhaseClock::charge() {
  const Clock::time_point now = Clock::now();
  times_[current_] += std::chrono::duration<double>(now - since_).count();
  record(now);
  since_ = now;
}

void PhaseClock::record(Clock::time_point end) {
  const auto ns = [](Clock::time_point at) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
  };
  const PhaseEvent event{current_, ns(since_), ns(end)};
  if (event.end_ns - event.begin_ns < std::max<std::int64_t>(shortest_event_ns_, 1)) {
    return;
  }
  events_.push_back(event);
  while (events_.size() > max_events) {
    shortest_event_ns_ = std::max<std::int64_t>(2 * shortest_event_ns_, 1000);
    std::erase_if(events_, [&](const PhaseEvent& each) {
      return each.end_ns - each.begin_ns < shortest_event_ns_;
    });
  }
}

Phase PhaseClock::enter(Phase next) {
  charge();
  const Phase ended = current_;
  current_ = next;
  publish_phase(current_, seconds_of(since_));
  return ended;
}

const PhaseTimes& PhaseClock::stop() {
  charge();
  publish_phase(std::nullopt, 0);
  return times_;
}

double PhaseClock::elapsed_s() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

}  // namespace shardmark
