// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/config/resolve.hpp"
#include "bench/text/text_style.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

struct SuiteOptions {
  std::string suite;                         // name, for the results
  std::string directory;                     // result files; its parent must exist; empty: none
  bool overwrite = false;                    // results of another configuration that lie there
  std::vector<std::string> benchmark_flags;  // --benchmark_...
  std::vector<std::string> command_line;     // for the results
  std::optional<std::uint64_t> shuffle_seed = {};  // rank 0 draws one by default
  bool json = false;                               // text is one JSON document
  TextStyle style = {};                            // of text
};

struct SuiteOutcome {
  std::string text;            // for stdout, rank 0
  std::optional<Error> error;  // cases failed; the same on all ranks
};

/// Collective. Runs every family that run.benchmarks names at every point of the sweep and writes
/// benchmark.json and samples.json. Afterwards hdf5_unusable() may hold: then leave at once.
///
/// Errors, the same on all ranks and before anything runs: invalid_argument, not_found, unsupported
/// for the configuration, the flags, the filter or the directories.
Result<SuiteOutcome> run_suite(std::span<const SweepCase> points, const SuiteOptions& options,
                               const Communicator& comm);

}  // namespace shardmark::bench
