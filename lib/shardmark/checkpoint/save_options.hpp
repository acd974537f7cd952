// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "shardmark/plan/owners/dedup.hpp"
#include "shardmark/plan/save/played_save_planner.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// What is to be saved where, and how.
struct SaveOptions {
  std::string directory;       // gets step-NNNNNNNN; its parent must exist
  std::int64_t step = 0;       // 0 to 99,999,999
  std::uint64_t seed = 0;      // kept with the checkpoint: which values a verifier expects
  std::string save_id_prefix;  // hex digits, fewer than 32: tells whose save it is
  DedupPolicy dedup = DedupPolicy::balanced;
  PlannerKind planner = PlannerKind::layout;
  SavePlanner* kept_planner = nullptr;  // used instead if given: a cached one, kept between saves
  /// Of use if given and kept between saves: the next one of the same content need not ask HDF5 to
  /// lay its entry file out again. Looked at on rank 0.
  KeptEntryFile* kept_entry_file = nullptr;
  /// This world's ranks play some of a bigger one: see save().
  std::optional<PlayedSave> played;
  /// By fqn: the name under which a tensor's dtype was published, where the one here has only its
  /// width. Kept with the checkpoint. Looked at on rank 0.
  std::map<std::string, std::string> published_dtypes;
  StorageOptions storage;
};

}  // namespace shardmark
