// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark::bench {

/// What a save of a plan would leave on disk.
struct PlannedFiles {
  std::int64_t files = 0;           // without COMMIT
  std::string layout;               // without "auto"; "none" without files
  std::int64_t metadata_bytes = 0;  // of the manifest
  std::int64_t checksum_bytes = 0;
  std::map<std::string, std::int64_t> reasons;  // why tensors are stored as they are: how many
};

/// Local. All ranks count as one node, since a plan knows of no machine. Fills in of `plan` what it
/// has not yet.
PlannedFiles plan_files(const StorageOptions& options, const EntryTable& entries,
                        GlobalSavePlan& plan, std::int64_t world_size);

}  // namespace shardmark::bench
