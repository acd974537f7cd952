// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/dedup.hpp"
#include "shardmark/plan/save_plan.hpp"
#include "shardmark/plan/save_planner.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/hdf5_state.hpp"
#include "shardmark/storage/storage_options.hpp"
#include "shardmark/storage/storage_writer.hpp"

namespace shardmark {

struct SaveOptions {
  std::string directory;   // gets step-NNNNNNNN; its parent must exist
  std::int64_t step = 0;   // 0 to 99,999,999
  std::uint64_t seed = 0;  // kept with the checkpoint: which values a verifier expects
  DedupPolicy dedup = DedupPolicy::balanced;
  PlannerKind planner = PlannerKind::layout;
  SavePlanner* kept_planner = nullptr;  // used instead if given: a cached one, kept between saves
  /// Of use if given and kept between saves: the next one of the same content need not ask HDF5 to
  /// lay its entry file out again. Looked at on rank 0.
  KeptEntryFile* kept_entry_file = nullptr;
  StorageOptions storage;
};

/// What lies on disk after a save.
struct Inventory {
  std::int64_t files = 0;
  std::int64_t num_bytes = 0;       // all files together
  std::int64_t padding_bytes = 0;   // entry and data file bytes that are neither data nor metadata
  std::int64_t metadata_bytes = 0;  // manifest
  std::int64_t checksum_bytes = 0;
};

/// What one save did, as this rank saw it.
struct SaveReport {
  std::int64_t step = 0;
  std::string path;                        // of the committed step; empty for the null back end
  FileLayout layout = FileLayout::shared;  // without "auto"; rank 0 only
  std::int64_t num_bytes = 0;       // stored bytes of all ranks, replicas once, objects included
  double returned_s = 0;            // until the caller may go on
  double durable_s = 0;             // until all fsyncs are done and the step is renamed
  PhaseTimes phases;                // sum to this rank's total
  std::vector<PhaseEvent> events;   // when they were
  std::int64_t bytes_written = 0;   // elements and checksums, by this rank
  std::int64_t write_requests = 0;  // HDF5 transfers of this rank
  std::uint32_t no_collective_cause =
      0;                            // HDF5's bits, or-ed; 0 where every collective transfer was one
  WriteCounters counters;           // of this rank
  std::vector<std::string> fqns;    // of the entries, in I/O mode collective
  std::int64_t metadata_calls = 0;  // into HDF5, by this rank
  Inventory inventory;              // the same on all ranks
  std::optional<SavePlanStatistics> statistics;  // rank 0 only
};

/// Collective. Plans, writes and commits one checkpoint of what `state_dict` refers to. It becomes
/// loadable at once and whole, or not at all.
///
/// Errors, the same on all ranks: invalid_argument (plans that disagree, overlap or leave holes),
/// already_exists (the step is committed; nothing is written), not_found (no parent directory),
/// no_space (before any element is written), io_error. After an io_error inside HDF5 this process
/// refuses further HDF5 work (hdf5_unusable()), and must leave by _exit.
Result<SaveReport> save(const StateDict& state_dict, const SaveOptions& options,
                        const Communicator& comm);

}  // namespace shardmark
