// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <functional>
#include <optional>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Local. Seconds of a monotonic clock.
double steady_seconds();

/// What one collective operation took.
struct CollectiveTime {
  double own_s = 0;   // this rank
  double mean_s = 0;  // over ranks
  double max_s = 0;   // the slowest rank: what the operation cost
};

struct TimedOperation {
  Status status;  // agreed: the lowest failing rank's error on all ranks
  CollectiveTime time;
};

/// Times collective operations from a barrier to the end of their slowest rank.
class CollectiveTimer {
 public:
  using Now = double (*)();

  /// `comm` must outlive it.
  explicit CollectiveTimer(const Communicator& comm, Now now = steady_seconds)
      : comm_(comm), now_(now) {}

  /// Collective. `operation` gives a Status; it is called once, on every rank. `own_seconds` may
  /// tell afterwards what this rank's part of it was, of clocks that it has kept itself.
  template <std::invocable Operation>
  [[nodiscard]] TimedOperation time(
      Operation&& operation, const std::function<std::optional<double>()>& own_seconds = {}) const {
    comm_.barrier();
    const double start_s = now_();
    const Status local = operation();
    const double elapsed_s = now_() - start_s;
    return finish(local, own_seconds ? own_seconds().value_or(elapsed_s) : elapsed_s);
  }

 private:
  TimedOperation finish(const Status& local, double own_s) const;

  const Communicator& comm_;
  Now now_;
};

}  // namespace shardmark::bench
