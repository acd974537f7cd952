// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>

#include "shardmark/profile/phase.hpp"

namespace shardmark {

/// Seconds of this rank by phase.
struct PhaseTimes {
  std::array<double, num_phases> seconds{};

  double& operator[](Phase phase) { return seconds[static_cast<std::size_t>(phase)]; }
  double operator[](Phase phase) const { return seconds[static_cast<std::size_t>(phase)]; }
  double total_s() const noexcept {
    double total = 0;
    for (const double s : seconds) {
      total += s;
    }
    return total;
  }
};

/// Local. Splits the time from its making to stop() into exclusive phases: exactly one is current
/// at any time, so the phases sum to the total by construction. Not for several threads.
class PhaseClock {
 public:
  using Clock = std::chrono::steady_clock;

  explicit PhaseClock(Phase first);

  /// Ends the current phase and begins `next`. Returns the one that ended.
  Phase enter(Phase next);

  /// Ends the current phase. Call once.
  const PhaseTimes& stop();

  /// Seconds since the clock was made.
  double elapsed_s() const;
  const PhaseTimes& times() const noexcept { return times_; }

 private:
  void charge();

  Phase current_;
  Clock::time_point start_;
  Clock::time_point since_;
  PhaseTimes times_;
};

/// A phase for one scope; the phase around it resumes after.
class ScopedPhase {
 public:
  ScopedPhase(PhaseClock& clock, Phase phase) : clock_(clock), outer_(clock.enter(phase)) {}
  ~ScopedPhase() { clock_.enter(outer_); }
  ScopedPhase(const ScopedPhase&) = delete;
  ScopedPhase& operator=(const ScopedPhase&) = delete;

 private:
  PhaseClock& clock_;
  Phase outer_;
};

}  // namespace shardmark
