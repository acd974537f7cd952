// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/checkpoint_steps.hpp"
#include "bench/harness/measure/workload_pool.hpp"
#include "bench/machine/free_memory.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/storage/format/file_system_traits.hpp"

namespace shardmark::bench {

/// What all cases of one run share. Outlives them.
struct SuiteEnvironment {
  const Communicator& comm;
  const NodeTopology& topology;
  WorkloadPool workloads;
  CheckpointSteps checkpoints;
  FreeMemory free_memory;
  std::map<std::string, FileSystemTraits> traits = {};  // by storage.directory

  /// Local. What was found of the file system of a `storage.directory`.
  FileSystemTraits traits_of(const std::string& directory) const {
    const auto found = traits.find(directory);
    return found == traits.end() ? FileSystemTraits{} : found->second;
  }
};

using Cases = std::vector<std::unique_ptr<BenchmarkCase>>;

/// Makes a family's cases of one point of a sweep. Keeps what the cases of one run share.
using CaseMaker = std::function<Cases(const SweepCase& point)>;

}  // namespace shardmark::bench
