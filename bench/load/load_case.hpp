// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// Family "load": reads one checkpoint, made in the set-up, into poisoned memory and checks every
/// value after. Each sample says how much of what it read was in the nodes' page caches.
std::unique_ptr<BenchmarkCase> make_load_case(const SweepCase& point,
                                              SuiteEnvironment& environment);

}  // namespace shardmark::bench
