// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// Family "hooks": one case a hook, called for every tensor of the rank's StateDict. A pass is too
/// short to time alone, so several are timed together; how many, the slowest rank's speed decides.
std::vector<std::unique_ptr<BenchmarkCase>> make_hooks_cases(const SweepCase& point,
                                                             SuiteEnvironment& environment);

}  // namespace shardmark::bench
