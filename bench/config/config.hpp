// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/dtype.hpp"

namespace shardmark::bench {

// The resolved configuration: every value is of the right type and in range; no "auto" is left but
// where std::nullopt says so. Closed sets are kept by their names in the configuration. Defaults
// are those of a configuration that leaves the key out.

struct ModelConfig {
  std::string name;                  // of the catalog; of a safetensors file its stem
  std::optional<double> scale;       // share of the bytes to keep, in (0, 1]
  std::optional<Dtype> dtype;        // nullopt: each tensor has the catalog's
  std::string optimizer = "adamw";   // none, adamw, sgd-momentum
  std::string safetensors = {};      // a file or its index, instead of a model of the catalog
  std::string experts = "separate";  // separate, stacked
  std::string matrix_sizes = "8192x8192,8192x8192,8192";  // of the model "matrix"

  std::string job = {};  // a job file, instead of a model and a strategy

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// A value of parallel.rules.
struct RulePlacements {
  std::string placements;  // "S(0)", "R,S(1)"
  std::string origin;      // where it was written, for messages alone

  friend bool operator==(const RulePlacements& a, const RulePlacements& b) {
    return a.placements == b.placements;
  }
};

/// Degrees are -1 (the rest of the world) or at least 1; the workload layer knows which ones a
/// strategy uses.
struct ParallelConfig {
  std::string strategy;
  std::optional<std::int64_t> dp_replicate;
  std::optional<std::int64_t> dp_shard;
  std::optional<std::int64_t> tp;
  std::optional<std::int64_t> pp;
  std::optional<std::int64_t> ep;
  std::string order;                           // "tp-pp-dp"; empty: the default order
  std::optional<std::int64_t> grid_rows = {};  // of block-cyclic; nullopt: near the square root
  std::int64_t block_size = 256;               // of block-cyclic, elements
  std::map<std::string, RulePlacements> rules = {};  // by glob of parameters' names

  friend bool operator==(const ParallelConfig&, const ParallelConfig&) = default;
};

struct PlannerConfig {
  std::string kind = "layout";     // coordinator, layout
  std::string dedup = "balanced";  // balanced, lowest-rank, dcp, split
  bool cache = false;

  friend bool operator==(const PlannerConfig&, const PlannerConfig&) = default;
};

struct StorageConfig {
  std::string backend = "hdf5";  // hdf5, posix, posix-shared, mpiio, null
  std::string directory = "checkpoints";
  std::string layout = "auto";    // auto, shared, ..., groups:M
  std::string io = "direct";      // collective, independent, direct
  bool o_direct = true;           // acts in io = direct only
  std::int64_t threads = 0;       // acts in io = direct only; 0: choose
  std::string checksum = "xxh3";  // xxh3, none
  bool async = false;
  std::int64_t staging_bytes = 0;         // async pool; 0: this rank's bytes
  std::optional<std::int64_t> alignment;  // bytes; nullopt: auto
  std::int64_t alignment_threshold = 0;   // bytes; 0: the alignment
  bool allow_padding = false;
  std::int64_t meta_block_size = std::int64_t{1} << 20;  // bytes
  std::string exchange = "auto";                         // auto, off, edges, node, world
  std::int64_t exchange_bytes = 0;            // on a node; 0: 64 MiB a rank, 512 MiB at most
  std::int64_t aggregators = 0;               // of a node, in world; 0: up to 4
  std::int64_t stripe_size = 0;               // bytes; 0: as the directory has it
  std::int64_t stripe_count = 0;              // likewise; -1: all
  std::map<std::string, std::string> hints;   // MPI-IO
  std::string coherent = "auto";              // auto, yes, no: may two nodes write one page
  std::map<std::string, std::string> assume;  // instead of what the probe found

  friend bool operator==(const StorageConfig&, const StorageConfig&) = default;
};

struct LoadConfig {
  std::string checksum = "read";  // full, read, none
  std::string replicas = "read";  // read, broadcast
  bool strict = true;
  std::int64_t sieve_gap = std::int64_t{1} << 16;  // bytes
  std::string exchange = "auto";                   // auto, off, node, world
  std::string from = {};  // checkpoints that lie there already, for the family load; empty: its own

  friend bool operator==(const LoadConfig&, const LoadConfig&) = default;
};

/// Where a value was set, as messages begin: "suite.toml:7: ". Makes no two configurations differ.
struct SetAt {
  std::string text = {};

  friend bool operator==(const SetAt& /*a*/, const SetAt& /*b*/) { return true; }
};

/// Programs of other engines, empty: looked for on PATH.
struct PeersConfig {
  std::string fio = {};
  std::string dcp = {};  // of this and what follows: a Python that has them
  std::string torch_save = {};
  std::string safetensors = {};
  std::optional<double> limit = {};  // seconds; nullopt: auto

  friend bool operator==(const PeersConfig&, const PeersConfig&) = default;
};

struct RunConfig {
  std::int64_t ranks = 4;
  std::int64_t world = 0;  // of virtual ranks; 0: the launched ones
  std::string play = {};   // of them, those that the launched ranks play: "0-3,256-259"
  std::vector<std::string> benchmarks = {"hooks", "plan", "save", "load"};
  std::int64_t repetitions = 9;
  std::int64_t warmup = 1;
  bool cold_read = true;
  std::string verify = "full";          // full, sample, none
  bool interference = false;            // steps of a workload beside every asynchronous save
  std::int64_t keep = 0;                // checkpoints left behind
  std::optional<double> deadline = {};  // seconds of one operation; nullopt: auto
  std::string late = "end";             // end, warn: past it
  SetAt play_from = {};                 // run.play

  friend bool operator==(const RunConfig&, const RunConfig&) = default;
};

/// The pair of a point of the reshard family: its checkpoint comes from here, parallel and load say
/// how it is loaded.
struct ReshardConfig {
  std::string saved_strategy;   // empty: parallel.strategy
  std::int64_t save_ranks = 0;  // 0: all
  std::int64_t load_ranks = 0;  // 0: all

  friend bool operator==(const ReshardConfig&, const ReshardConfig&) = default;
};

/// Where each key was written: "suite.toml:7", "--set run.ranks=8". Makes no two configurations
/// differ.
struct KeyOrigins {
  std::map<std::string, std::string, std::less<>> by_key = {};  // defaults have none

  friend bool operator==(const KeyOrigins& /*a*/, const KeyOrigins& /*b*/) { return true; }
};

struct Config {
  ModelConfig model;
  ParallelConfig parallel;
  PlannerConfig planner;
  StorageConfig storage;
  LoadConfig load;
  ReshardConfig reshard;
  PeersConfig peers;
  RunConfig run;
  KeyOrigins origins;

  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace shardmark::bench
