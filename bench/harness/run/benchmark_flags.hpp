// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// What the user asked of Google Benchmark, as far as it can be given under MPI.
struct BenchmarkFlags {
  std::string filter;       // POSIX extended regex; empty: every case
  bool list_tests = false;  // print the names and leave
  std::string format;       // console or json; empty: our own table only
  // For benchmark::Initialize on rank 0. The other ranks get none of them, or each would open and
  // truncate the same output file.
  std::vector<std::string> for_root;
};

/// Local. `arguments` are --benchmark_* words; flags that would make ranks diverge, or mean
/// nothing for single repetitions, are refused with the reason. Also refuses the environment
/// variables (BENCHMARK_MIN_TIME, ...) that would set such flags behind our back. Errors:
/// invalid_argument.
Result<BenchmarkFlags> parse_benchmark_flags(std::span<const std::string> arguments);

}  // namespace shardmark::bench
