// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

class KeptEntryFile;

/// What a save is about to store, as this rank knows it. All must outlive the writer's flush().
struct SaveTarget {
  std::string directory;                   // of the partial checkpoint
  const EntryTable* entries = nullptr;     // the same on all ranks
  const SavePlan* plan = nullptr;          // what this rank writes
  const GlobalSavePlan* global = nullptr;  // rank 0 only: who writes what
  /// With the world's size; on rank 0 with entries and chunks. Gets files, locations and checksums
  /// address.
  Manifest* manifest = nullptr;
  KeptEntryFile* kept_entry_file = nullptr;  // rank 0: see SaveOptions
  /// Of some entries only a part is written: what is not stays a hole, and takes no room.
  bool has_holes = false;
};

/// Bytes in entry and data files that are neither elements nor ours; the same on all ranks or on
/// rank 0 only.
struct LayoutCounters {
  std::int64_t library_metadata_bytes = 0;
};

/// The manifest in the finished entry file.
struct StoredManifest {
  std::int64_t address = 0;
  std::uint64_t outside_hash = 0;  // XXH3-64 of the file outside element data
};

/// Makes the files of one save and tells every rank where its elements go; knows nothing of how
/// they get there. One object a save.
class SaveFiles {
 public:
  /// Collective after create().
  virtual ~SaveFiles() = default;

  /// Collective; the same status on every rank. Lays out the files and reserves their space before
  /// any element is written. On rank 0 fills in the manifest's files, locations and checksums
  /// address. Errors: io_error, no_space, invalid_argument.
  virtual Result<PlacedFiles> create(const SaveTarget& target) = 0;

  /// Local, rank 0, when every element is durable. Writes the manifest's bytes into the entry file,
  /// durably and read back, and finishes that file. Errors: io_error, no_space.
  virtual Result<StoredManifest> write_manifest(std::span<const std::byte> bytes) = 0;

  /// Final after write_manifest().
  virtual const LayoutCounters& layout_counters() const noexcept = 0;
};

}  // namespace shardmark
