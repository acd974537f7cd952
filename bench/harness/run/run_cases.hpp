// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/harness/run/benchmark_flags.hpp"
#include "bench/machine/run_context.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

struct RunSettings {
  int repetitions = 1;
  int warmup = 0;         // rounds
  std::string directory;  // gets benchmark.json and samples.json; empty: none
  BenchmarkFlags flags;
  bool show_progress = true;  // on stderr, if that is a terminal
  std::function<bool()> storage_unusable = {};
  std::optional<double> deadline_s = {};  // of one repetition; nullopt: as its bytes let expect
};

struct RunResult {
  std::vector<CaseDescription> cases;  // those that the filter selected
  std::vector<Sample> samples;         // in run order; complete on rank 0 only
  int failed_cases = 0;                // the same on all ranks, like what follows
  std::optional<Error> first_error;    // of a case, or of writing results
  bool must_stop = false;              // storage is unusable: leave by leave_at_once()
};

/// Collective. A shuffle seed that rank 0 draws, below 2^32.
std::uint64_t common_shuffle_seed(std::optional<std::uint64_t> given, const Communicator& comm);

/// Collective. Positions of the cases that rank 0's filter selects. Errors: those of select_cases.
Result<std::vector<std::size_t>> agree_on_selection(
    std::span<const std::unique_ptr<BenchmarkCase>> cases, std::string filter,
    const Communicator& comm);

/// Collective. Runs what flags.filter selects of `cases`: set-up and warm-up rounds first, then
/// rounds of one repetition of every case each, shuffled by context.shuffle_seed, each repetition a
/// Google Benchmark registration of its own. samples.json is replaced after every round, so that a
/// run that is cut off keeps what it has. A failing case is a failed sample; the others go on.
///
/// Errors, the same on all ranks and before anything runs: invalid_argument for a filter or a flag.
Result<RunResult> run_cases(std::span<const std::unique_ptr<BenchmarkCase>> cases,
                            const RunSettings& settings, const RunContext& context,
                            const Communicator& comm);

}  // namespace shardmark::bench
