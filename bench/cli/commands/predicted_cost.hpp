// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/cli/commands/storage_model.hpp"

namespace shardmark::bench {

/// What a plan asks of a storage.
struct PlannedWork {
  std::span<const std::int64_t> written;  // by rank
  std::span<const std::int64_t> held;     // by rank, replicas included
  std::int64_t files = 1;
  std::int64_t messages = 0;
  double plan_s = 0;
  bool async = false;
  std::int64_t staging_per_rank = 0;  // at most, beside the tensors: see memory_need()
};

/// One foretold number, and where it comes from.
struct Foretold {
  double value = 0;
  std::optional<double> low;   // of the 95 % interval
  std::optional<double> high;  // likewise; neither where the storage's description has no spread
  std::string law;             // the formula, and which of its parts decides
};

struct PredictedCost {
  std::int64_t nodes = 1;
  Foretold save_s;
  Foretold load_s;
  Foretold stall_s;  // of the program by a save
  Foretold memory_per_node_bytes;
  std::int64_t files = 0;
  std::int64_t requests = 0;        // of a save, all ranks
  std::int64_t metadata_calls = 0;  // likewise
  std::int64_t messages = 0;
};

/// Local. From the plan and the storage's description alone.
PredictedCost predict_cost(const PlannedWork& work, const StorageModel& model);

}  // namespace shardmark::bench
