// SPDX-License-Identifier: Apache-2.0
#include "bench/save/interference.hpp"

#include <algorithm>

#include "bench/harness/measure/collective_timer.hpp"

namespace shardmark::bench {
namespace {

// About 2 ms of arithmetic and 256 KiB of gradients.
constexpr std::size_t num_weights = std::size_t{1} << 16;
constexpr int num_passes = 64;
constexpr std::size_t num_gradients = std::size_t{1} << 15;

}  // namespace

InterferenceWorkload::InterferenceWorkload(const Communicator& comm)
    : comm_(comm), weights_(num_weights, 1.0F), gradients_(num_gradients + 1, 0.0) {}

void InterferenceWorkload::compute() {
  for (int pass = 0; pass < num_passes; ++pass) {
    for (float& weight : weights_) {
      weight = weight * 0.999F + 0.001F;
    }
  }
  std::fill(gradients_.begin(), gradients_.end(), static_cast<double>(weights_.front()));
}

StepTimes InterferenceWorkload::run_until(const std::function<bool()>& done) {
  StepTimes times;
  const double start_s = steady_seconds();
  bool all_done = false;
  while (!all_done) {
    compute();
    // The word travels with the gradients, so that all ranks do as many steps.
    gradients_.back() = done() ? 0 : 1;
    comm_.all_reduce(gradients_, MPI_SUM);
    all_done = gradients_.back() == 0;
    ++times.steps;
  }
  times.total_s = comm_.all_reduce(steady_seconds() - start_s, MPI_MAX);
  return times;
}

StepTimes InterferenceWorkload::run_for(double seconds) {
  const double end_s = steady_seconds() + seconds;
  return run_until([&] { return steady_seconds() >= end_s; });
}

}  // namespace shardmark::bench
