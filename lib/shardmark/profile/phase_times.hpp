// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

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

/// One stretch of one phase, on this node's steady clock.
struct PhaseEvent {
  Phase phase = Phase::wait;
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
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

  /// The stretches in order, at most max_events of them: the shortest are left out of a longer
  /// list, so that a timeline costs the same however many pieces a save has.
  const std::vector<PhaseEvent>& events() const noexcept { return events_; }
  static constexpr std::size_t max_events = 256;

 private:
  void charge();
  void record(Clock::time_point end);

  Phase current_;
  Clock::time_point start_;
  Clock::time_point since_;
  PhaseTimes times_;
  std::vector<PhaseEvent> events_;
  std::int64_t shortest_event_ns_ = 0;  // what is shorter is left out
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
