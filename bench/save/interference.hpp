// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// How long the steps of a program took, on the slowest rank.
struct StepTimes {
  std::int64_t steps = 0;
  double total_s = 0;

  double step_s() const noexcept { return steps > 0 ? total_s / static_cast<double>(steps) : 0; }
};

/// The steps of a training program in small: some multiply-adds, then an all-reduce of "gradients".
class InterferenceWorkload {
 public:
  /// `comm` must outlive it.
  explicit InterferenceWorkload(const Communicator& comm);

  /// Collective. Steps until `done` holds on all ranks, which is asked after each step; at least
  /// one.
  StepTimes run_until(const std::function<bool()>& done);
  /// Collective. As many steps as take about `seconds`, at least one.
  StepTimes run_for(double seconds);

 private:
  void compute();

  const Communicator& comm_;
  std::vector<float> weights_;
  std::vector<double> gradients_;  // the last one carries each rank's word whether it is done
};

}  // namespace shardmark::bench
