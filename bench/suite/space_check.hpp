// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/workload_pool.hpp"
#include "bench/machine/run_context.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. `num_ranks` are those of the launch. Errors: no_space if a directory has less room than
/// the run needs at its fullest (a checkpoint of every load case, the kept ones and the one being
/// written), naming both figures and the keys that change them.
Status check_space(std::span<const SweepCase> points, int num_ranks, WorkloadPool& workloads);

/// Local. Says on stderr where a file system is none that numbers should come from: memory,
/// overlays.
void warn_of_file_system(const FileSystem& filesystem);

}  // namespace shardmark::bench
