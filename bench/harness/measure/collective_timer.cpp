// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/collective_timer.hpp"

#include <chrono>

namespace shardmark::bench {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

TimedOperation CollectiveTimer::finish(const Status& local, double own_s) const {
  TimedOperation timed;
  timed.time.own_s = own_s;
  timed.time.max_s = comm_.all_reduce(own_s, MPI_MAX);
  timed.time.mean_s = comm_.all_reduce(own_s, MPI_SUM) / comm_.size();
  timed.status = comm_.agree(local);
  return timed;
}

}  // namespace shardmark::bench
