// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// A storage in ten lines, as a person writes them or `scripts/foretell` fits them.
struct StorageModel {
  static constexpr double unlimited = std::numeric_limits<double>::infinity();

  std::string source;               // the file
  std::int64_t ranks_per_node = 1;  // of the world that is foretold
  double node_rate = 0;             // bytes a second that one node saves
  double total_rate = unlimited;    // that all nodes save together
  double load_node_rate = 0;        // likewise, loading; left out: as saving
  double load_total_rate = unlimited;
  double requests = unlimited;  // requests a second, all nodes together
  double latency = 0;           // seconds of a request, one after another on a rank
  double metadata = unlimited;  // creates, opens, syncs, renames a second, all nodes together
  double fixed = 0;             // seconds of a save or load that moves nothing
  double memory_rate =
      unlimited;                 // bytes a second that one node copies, for saves in the background
  std::optional<double> spread;  // relative standard deviation of one time around the law
  std::optional<std::int64_t> samples;   // that it was fitted to
  std::map<std::string, double> errors;  // relative standard errors, by the keys above
};

/// What of a StorageModel has an error of its own.
struct StorageParameter {
  std::string_view key;
  double StorageModel::*value;
};
inline constexpr std::array<StorageParameter, 9> storage_parameters = {{
    {"node_rate", &StorageModel::node_rate},
    {"total_rate", &StorageModel::total_rate},
    {"load_node_rate", &StorageModel::load_node_rate},
    {"load_total_rate", &StorageModel::load_total_rate},
    {"requests", &StorageModel::requests},
    {"latency", &StorageModel::latency},
    {"metadata", &StorageModel::metadata},
    {"fixed", &StorageModel::fixed},
    {"memory_rate", &StorageModel::memory_rate},
}};

/// Local. Errors: those of read_toml_file; invalid_argument naming file, line, key, what was found
/// and expected.
Result<StorageModel> read_storage_model(const std::string& path);
/// Local. Of a text; `source` names it in messages.
Result<StorageModel> parse_storage_model(std::string_view text, const std::string& source);

}  // namespace shardmark::bench
