// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/phase_times.hpp"

namespace shardmark {

PhaseClock::PhaseClock(Phase first) : current_(first), start_(Clock::now()), since_(start_) {}

void PhaseClock::charge() {
  const Clock::time_point now = Clock::now();
  times_[current_] += std::chrono::duration<double>(now - since_).count();
  since_ = now;
}

Phase PhaseClock::enter(Phase next) {
  charge();
  const Phase ended = current_;
  current_ = next;
  return ended;
}

const PhaseTimes& PhaseClock::stop() {
  charge();
  return times_;
}

double PhaseClock::elapsed_s() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

}  // namespace shardmark
