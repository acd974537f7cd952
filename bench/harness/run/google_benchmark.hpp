// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/harness/measure/case_runner.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/harness/run/benchmark_flags.hpp"
#include "bench/machine/run_context.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// One repetition as Google Benchmark sees it.
struct Registration {
  std::string name;
  /// Collective. Runs the operation inside `loop` and says what came of it, the same failure on
  /// every rank.
  std::function<Sample(const TimedLoop& loop)> run;
};

/// Collective. Gives Google Benchmark its flags, on rank 0 only what concerns output. Errors:
/// invalid_argument for values that it does not understand and files that cannot be written.
Status prepare_google_benchmark(const BenchmarkFlags& flags, const RunContext& context,
                                const Communicator& comm);

/// Collective, after the above. Runs the registrations in the order given, each as one iteration
/// with manual time. Rank 0 puts Google Benchmark's JSON into `directory`/benchmark.json (whole or
/// not at all; nowhere if empty) and shows what flags.format asks for; the other ranks say and
/// write nothing. Errors: io_error.
Status run_registrations(const std::vector<Registration>& registrations,
                         const BenchmarkFlags& flags, const RunContext& context,
                         const std::string& directory, const Communicator& comm);

}  // namespace shardmark::bench
