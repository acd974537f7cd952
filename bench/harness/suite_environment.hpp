// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/checkpoint_steps.hpp"
#include "bench/harness/free_memory.hpp"
#include "bench/harness/workload_pool.hpp"
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

}  // namespace shardmark::bench
