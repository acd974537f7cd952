// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/checkpoint_steps.hpp"
#include "bench/harness/measure/workload_pool.hpp"
#include "bench/machine/free_memory.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"

namespace shardmark::bench {

/// What all cases of one run share. Outlives them.
struct SuiteEnvironment {
  const Communicator& comm;
  const NodeTopology& topology;
  WorkloadPool workloads;
  CheckpointSteps checkpoints;
  FreeMemory free_memory;
};

using Cases = std::vector<std::unique_ptr<BenchmarkCase>>;

/// Makes a family's cases of one point of a sweep. Keeps what the cases of one run share.
using CaseMaker = std::function<Cases(const SweepCase& point)>;

}  // namespace shardmark::bench
