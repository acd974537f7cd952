// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/collective_timer.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/harness/watch/watched_operation.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Calls its argument exactly once, as Google Benchmark's loop or plainly, and takes the seconds
/// that it returns.
using TimedLoop = std::function<void(const std::function<double()>& operation)>;

/// Runs single repetitions. A failure on one rank is the same failed sample on all.
class CaseRunner {
 public:
  /// `comm` must outlive it. `storage_unusable` is asked after every failure, on each rank.
  /// `deadline_s`: of one repetition, nullopt for what its bytes are expected to take.
  CaseRunner(const Communicator& comm, std::function<bool()> storage_unusable,
             std::optional<double> deadline_s = {}, CollectiveTimer::Now now = steady_seconds)
      : comm_(comm),
        timer_(comm, now),
        storage_unusable_(std::move(storage_unusable)),
        deadline_s_(deadline_s) {}

  /// Collective.
  Status set_up(BenchmarkCase& benchmark_case);
  /// Collective. prepare, operate (inside `loop`), check.
  Sample run(BenchmarkCase& benchmark_case, const TimedLoop& loop);
  /// Collective. The same repetition with nothing kept.
  Status warm_up(BenchmarkCase& benchmark_case);
  /// Collective.
  Status tear_down(BenchmarkCase& benchmark_case);

  /// The same on all ranks: after a failure that storage cannot recover from, nothing may run.
  bool must_stop() const noexcept { return must_stop_; }

 private:
  Status agree(const Status& local);
  double expected_s(const BenchmarkCase& benchmark_case) const;
  void note_time(const BenchmarkCase& benchmark_case, double elapsed_s);
  /// Watched from now on, until the next part or the end of the scope.
  void watch(std::optional<WatchedOperation>& watched, std::string_view part,
             const BenchmarkCase& benchmark_case) const;

  const Communicator& comm_;
  CollectiveTimer timer_;
  std::function<bool()> storage_unusable_;
  std::optional<double> deadline_s_;
  ExpectedTime expected_;
  std::map<std::string, double, std::less<>> longest_s_;  // so far, by case
  bool must_stop_ = false;
};

}  // namespace shardmark::bench
