// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "shardmark/checkpoint/plan_phase.hpp"
#include "shardmark/core/by_rank.hpp"
#include "shardmark/plan/merge/plan_exchange.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark::bench {

/// Times a planner's steps by virtual rank, and keeps a clock for each: it goes on while the rank
/// acts, and is put forward to that of a rank whose message it has waited for. No network.
class VirtualClocks {
 public:
  explicit VirtualClocks(std::int64_t world_size)
      : times_(static_cast<std::size_t>(world_size)), clocks_(times_.size()) {}

  void enter(PlanStep step) {
    charge();
    current_ = phase_of(step);
  }
  /// Making a virtual rank's tensors is this program's doing, not the planner's.
  void pause() {
    charge();
    current_.reset();
  }
  void resume_as(int rank) {
    charge();
    rank_ = static_cast<std::size_t>(rank);
    current_ = Phase::hooks;
  }
  void turn(int rank, int waited_for) {
    charge();
    rank_ = static_cast<std::size_t>(rank);
    clocks_[rank_] = std::max(clocks_[rank_], waited_for == LocalPlanExchange::everybody
                                                  ? latest_s()
                                                  : clocks_[static_cast<std::size_t>(waited_for)]);
  }

  /// Its own steps.
  const PhaseTimes& steps_of(int rank) const { return of_rank(times_, rank); }
  /// When the last rank is done: what a save would wait for if every rank had a processor like this
  /// one.
  double latest_s() const { return latest_s_; }

 private:
  void charge() {
    const auto now = PhaseClock::Clock::now();
    if (current_) {
      const double elapsed_s = std::chrono::duration<double>(now - since_).count();
      times_[rank_][*current_] += elapsed_s;
      clocks_[rank_] += elapsed_s;
      latest_s_ = std::max(latest_s_, clocks_[rank_]);
    }
    since_ = now;
  }

  std::vector<PhaseTimes> times_;
  std::vector<double> clocks_;
  double latest_s_ = 0;  // of all clocks, none of which ever goes back
  std::size_t rank_ = 0;
  std::optional<Phase> current_;
  PhaseClock::Clock::time_point since_ = PhaseClock::Clock::now();
};

}  // namespace shardmark::bench
