// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/case_runner.hpp"

#include "bench/machine/memory_usage.hpp"
#include "bench/machine/process_io.hpp"

namespace shardmark::bench {
namespace {

Sample failed(const Status& status) {
  Sample sample;
  sample.error = status.error();
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

Status CaseRunner::set_up(BenchmarkCase& benchmark_case) {
  return agree(benchmark_case.set_up());
}

Sample CaseRunner::run(BenchmarkCase& benchmark_case, const TimedLoop& loop) {
  if (const Status prepared = agree(benchmark_case.prepare()); !prepared) {
    return failed(prepared);
  }
  const auto passes = static_cast<double>(benchmark_case.passes());
  const PeakMemoryWatch memory;
  const auto io_before = process_io();
  TimedOperation timed;
  loop([&] {
    timed = timer_.time([&] { return benchmark_case.operate(); },
                        [&] { return benchmark_case.own_seconds(); });
    return timed.time.max_s / passes;
  });
  const OperationUsage usage{memory.peak_bytes(), difference(process_io(), io_before)};
  if (const Status operated = agree(timed.status); !operated) {
    return failed(operated);
  }
  Measurement measurement;
  if (const Status checked = agree(benchmark_case.check(measurement)); !checked) {
    return failed(checked);
  }
  return gather_sample(measurement, timed.time, passes, usage, comm_);
}

Status CaseRunner::warm_up(BenchmarkCase& benchmark_case) {
  const Sample sample =
      run(benchmark_case, [](const std::function<double()>& operation) { operation(); });
  return sample.error ? Status(*sample.error) : Status();
}

Status CaseRunner::tear_down(BenchmarkCase& benchmark_case) {
  return comm_.agree(benchmark_case.tear_down());
}

}  // namespace shardmark::bench
