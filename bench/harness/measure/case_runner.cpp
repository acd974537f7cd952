// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/case_runner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/machine/memory_usage.hpp"
#include "bench/machine/process_io.hpp"

namespace shardmark::bench {
namespace {

// Of a virtual world: one process may play thousands of ranks.
constexpr double virtual_world_s = 60;

Sample failed(const Status& status, const BenchmarkCase& benchmark_case) {
  Sample sample;
  sample.skipped = benchmark_case.left_out();
  if (!sample.skipped) {
    sample.error = status.error();
  }
  return sample;
}

}  // namespace

Status CaseRunner::agree(const Status& local) {
  Status agreed = comm_.agree(local);
  if (!agreed) {
    const std::int64_t unusable = storage_unusable_ && storage_unusable_() ? 1 : 0;
    must_stop_ = comm_.all_reduce(unusable, MPI_MAX) != 0;
  }
  return agreed;
}

double CaseRunner::expected_s(const BenchmarkCase& benchmark_case) const {
  const CaseDescription& description = benchmark_case.description();
  const auto before = longest_s_.find(description.name);
  return std::max({expected_.of(description.planned_bytes),
                   description.is_virtual ? virtual_world_s : 0.0,
                   before == longest_s_.end() ? 0.0 : before->second});
}

void CaseRunner::note_time(const BenchmarkCase& benchmark_case, double elapsed_s) {
  const CaseDescription& description = benchmark_case.description();
  expected_.note(description.planned_bytes,
                 elapsed_s / static_cast<double>(benchmark_case.passes()));
  double& longest = longest_s_[description.name];
  longest = std::max(longest, elapsed_s);
}

void CaseRunner::watch(std::optional<WatchedOperation>& watched, std::string_view part,
                       const BenchmarkCase& benchmark_case) const {
  watched.reset();
  watched.emplace(fmt::format("{} of {}", part, benchmark_case.description().name),
                  std::max(deadline_around_s(deadline_s_, expected_s(benchmark_case)),
                           benchmark_case.own_limit_s()));
}

Status CaseRunner::set_up(BenchmarkCase& benchmark_case) {
  std::optional<WatchedOperation> watched;
  watch(watched, "set-up", benchmark_case);
  return agree(benchmark_case.set_up());
}

Sample CaseRunner::run(BenchmarkCase& benchmark_case, const TimedLoop& loop) {
  std::optional<WatchedOperation> watched;
  watch(watched, "preparation", benchmark_case);
  if (const Status prepared = agree(benchmark_case.prepare()); !prepared) {
    return failed(prepared, benchmark_case);
  }
  const auto passes = static_cast<double>(benchmark_case.passes());
  const PeakMemoryWatch memory;
  const auto io_before = process_io();
  TimedOperation timed;
  watched.reset();
  watched.emplace(
      benchmark_case.description().name,
      std::max(deadline_s(deadline_s_, expected_s(benchmark_case)), benchmark_case.own_limit_s()));
  loop([&] {
    timed = timer_.time([&] { return benchmark_case.operate(); },
                        [&] { return benchmark_case.own_seconds(); });
    return timed.time.max_s / passes;
  });
  const OperationUsage usage{memory.peak_bytes(), difference(process_io(), io_before)};
  if (const Status operated = agree(timed.status); !operated) {
    return failed(operated, benchmark_case);
  }
  note_time(benchmark_case, timed.time.max_s);
  watch(watched, "check", benchmark_case);
  Measurement measurement;
  if (const Status checked = agree(benchmark_case.check(measurement)); !checked) {
    return failed(checked, benchmark_case);
  }
  return gather_sample(measurement, timed.time, passes, usage, comm_);
}

Status CaseRunner::warm_up(BenchmarkCase& benchmark_case) {
  const Sample sample =
      run(benchmark_case, [](const std::function<double()>& operation) { operation(); });
  if (sample.skipped) {
    return Error{ErrorCode::internal, *sample.skipped};
  }
  return sample.error ? Status(*sample.error) : Status();
}

Status CaseRunner::tear_down(BenchmarkCase& benchmark_case) {
  std::optional<WatchedOperation> watched;
  watch(watched, "tear-down", benchmark_case);
  return comm_.agree(benchmark_case.tear_down());
}

}  // namespace shardmark::bench
