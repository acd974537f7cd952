// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// Family "plan": the save plan (hooks, gather, merge, scatter) over the real ranks, and the load
/// plan of every rank against the chunks that such a save stores. With run.world in a virtual
/// world: see make_virtual_plan_case(); the load plans are those of evenly spread virtual ranks. No
/// tensor memory, no files.
std::vector<std::unique_ptr<BenchmarkCase>> make_plan_cases(const SweepCase& point,
                                                            SuiteEnvironment& environment);

}  // namespace shardmark::bench
