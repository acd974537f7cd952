// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/config/played_ranks.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/checkpoint_steps.hpp"
#include "bench/harness/measure/workload_pool.hpp"
#include "bench/machine/free_memory.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/storage/format/file_system_traits.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark::bench {

/// What load.from names: one committed step, found once for the whole run.
struct GivenCheckpoint {
  std::string directory;  // of the steps
  std::int64_t step = 0;
  std::uint64_t seed = 0;
  std::int64_t world_size = 0;  // of the save
  FileLayout layout = FileLayout::shared;
  std::shared_ptr<const ForeignFiles> foreign = {};  // files of others instead of a step
};

/// How raw files are moved fastest here, as a ceiling found out.
struct RawPattern {
  std::int64_t piece_bytes = 0;
  int threads = 1;
};

/// What all cases of one run share. Outlives them.
struct SuiteEnvironment {
  const Communicator& comm;
  const NodeTopology& topology;
  WorkloadPool workloads;
  CheckpointSteps checkpoints;
  FreeMemory free_memory;
  std::map<std::string, FileSystemTraits> traits = {};  // by storage.directory
  std::map<std::string, GivenCheckpoint> given = {};    // by load.from
  /// By ceiling group and variant, "llama3-8b/fsdp/posix-per-rank-direct-save"; the same on all
  /// ranks, known once the ceilings are set up.
  std::map<std::string, RawPattern> raw_patterns = {};

  /// Local. What was found of the file system of a `storage.directory`.
  FileSystemTraits traits_of(const std::string& directory) const {
    const auto found = traits.find(directory);
    return found == traits.end() ? FileSystemTraits{} : found->second;
  }

  /// Local. Who plays whom at a point that has been checked; nullopt without run.world.
  std::optional<PlayedWorld> played(const Config& config) const {
    const auto world = played_world(config, comm.size());
    return world ? *world : std::nullopt;
  }

  /// Local. nullptr where a point's load reads a checkpoint of its own.
  const GivenCheckpoint* given_to(const Config& config) const {
    const auto found = given.find(config.load.from);
    return found == given.end() ? nullptr : &found->second;
  }
};

using Cases = std::vector<std::unique_ptr<BenchmarkCase>>;

/// Makes a family's cases of one point of a sweep. Keeps what the cases of one run share.
using CaseMaker = std::function<Cases(const SweepCase& point)>;

}  // namespace shardmark::bench
