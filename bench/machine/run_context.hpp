// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/machine/build_info.hpp"
#include "bench/machine/clock_offsets.hpp"
#include "bench/machine/mpi_io.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"

namespace shardmark::bench {

/// The file system of a directory.
struct FileSystem {
  std::string type;          // "ext4", "lustre"; "0x..." where the kernel has no name
  std::string path;          // where it is mounted
  std::string server = {};   // "host:/path"; empty: none
  std::string options = {};  // of the mount; without the address of this client
  std::string weaker = {};   // what the probe found weaker than on a local one; empty: nothing
  std::int64_t stripe_size_bytes = 0;  // of files that are made there; 0: nobody says
  std::int64_t stripe_count = 0;       // likewise
};

/// Where and how a run was made: the "context" of samples.json and benchmark.json.
struct RunContext {
  BuildInfo build;
  NodeTopology topology;
  std::string cpu;                        // of rank 0's node
  std::string kernel;                     // likewise
  std::vector<std::string> cpus_of_rank;  // that each may run on
  FileSystem filesystem;
  MpiIo mpi_io;
  std::map<std::string, std::string> played = {};  // played_facts(); empty: nobody plays
  bool gives_free_memory_back = false;             // to a host; rank 0's node
  std::string scheduler_job;                       // empty: none
  std::map<std::string, std::string> variables;    // of a closed list, those that are set
  std::string suite;
  std::string config;  // canonical text
  std::string config_hash;
  std::string started;  // ISO 8601, UTC
  std::uint64_t shuffle_seed = 0;
  std::vector<std::string> command_line;
  std::vector<ClockOffset> clock_offsets;  // by node

  int num_ranks() const noexcept { return static_cast<int>(topology.node_of_rank.size()); }
  std::vector<std::int64_t> ranks_per_node() const;
};

/// What one key of the context holds.
using ContextValue =
    std::variant<bool, std::int64_t, std::uint64_t, std::string, std::vector<std::int64_t>,
                 std::vector<std::string>, std::map<std::string, std::string>, FileSystem, MpiIo>;

struct ContextEntry {
  std::string_view key;
  ContextValue value;
  bool in_benchmark_json = true;  // which takes short text only
};

/// Local. The one list of the context's keys, in their order: results/schema.json has the same.
std::vector<ContextEntry> context_entries(const RunContext& context);

/// Local. Model name and number of cores of this node.
std::string cpu_name();

/// Local. The file system that holds `directory`, or would: the nearest existing parent counts.
FileSystem file_system_of(const std::string& directory);

/// Local. The time now, "2026-01-31T12:34:56Z".
std::string utc_now();

}  // namespace shardmark::bench
