// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// The save plan of a world of run.world virtual ranks, all played by rank 0. Its time is that of
/// the last virtual rank's clock: what a save would wait for if every rank had a processor like
/// this one and messages took no time. Each real rank shows the phases of one virtual rank.
std::unique_ptr<BenchmarkCase> make_virtual_plan_case(CaseDescription description,
                                                      const SweepCase& point,
                                                      SuiteEnvironment& environment);

}  // namespace shardmark::bench
