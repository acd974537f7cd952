// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "bench/ceiling/ceiling_setting.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// Family "ceiling": what memory, files, MPI-IO and HDF5 give for the bytes of this point's
/// checkpoint, each rank moving as many as it writes or reads there. Every way of doing it is tried
/// in the set-up; the repetitions measure the fastest, with every byte compared after.
/// All points of a run share `memory`.
std::vector<std::unique_ptr<BenchmarkCase>> make_ceiling_cases(
    const SweepCase& point, SuiteEnvironment& environment,
    const std::shared_ptr<SharedCeilingMemory>& memory);

}  // namespace shardmark::bench
