// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "bench/reshard/saved_checkpoints.hpp"

namespace shardmark::bench {

/// Family "reshard": a checkpoint that was saved under one strategy and world size, loaded under
/// another, into poisoned memory, every value checked after. Ranks of the launch beyond either
/// world stand by. `saved` is shared by all cases of the matrix and outlives none of them.
std::unique_ptr<BenchmarkCase> make_reshard_case(const SweepCase& point,
                                                 SuiteEnvironment& environment,
                                                 std::shared_ptr<SavedCheckpoints> saved);

}  // namespace shardmark::bench
