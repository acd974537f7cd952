// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bench/config/config.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {

// The library's options out of a resolved configuration. All local; the values are known to be
// valid.

WorkloadOptions workload_options(const Config& config);
DedupPolicy dedup_policy(const Config& config);
PlannerKind planner_kind(const Config& config);
/// The planner that the configuration asks for, cached or not; keep it from save to save.
std::unique_ptr<SavePlanner> configured_planner(const Config& config);
StorageOptions storage_options(const Config& config);
SaveOptions save_options(const Config& config, const std::string& directory, std::int64_t step,
                         std::uint64_t seed);
LoadOptions load_options(const Config& config, const std::string& directory,
                         std::optional<std::int64_t> step);
/// Local. How a save of `played` is planned, whatever the planner: it can be told of every rank,
/// by this process alone.
PlayedSave played_save(const Config& config, const PlayedWorld& played, PlayedParts parts);
const BackendTraits& backend_of(const StorageConfig& storage);
/// Whether elements go through the page cache, but for edges and what is too small.
bool uses_page_cache(const StorageConfig& storage);

}  // namespace shardmark::bench
