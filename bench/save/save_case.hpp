// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// Family "save": one checkpoint a repetition, each with a step and values of its own, durable at
/// the end of the timed part and verified after it.
std::unique_ptr<BenchmarkCase> make_save_case(const SweepCase& point,
                                              SuiteEnvironment& environment);

}  // namespace shardmark::bench
