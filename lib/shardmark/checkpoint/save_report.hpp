// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/posix/striping.hpp"
#include "shardmark/storage/raw/io_counters.hpp"

namespace shardmark {

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
  std::int64_t own_bytes = 0;       // of num_bytes, what this rank has written
  std::int64_t bytes_written = 0;   // elements and checksums, by this rank
  std::int64_t write_requests = 0;  // HDF5 transfers of this rank
  std::uint32_t no_collective_cause =
      0;                            // HDF5's bits, or-ed; 0 where every collective transfer was one
  WriteCounters counters;           // of this rank
  std::vector<std::string> fqns;    // of the entries, in I/O mode collective
  std::int64_t metadata_calls = 0;  // into HDF5, by this rank
  Inventory inventory;              // the same on all ranks
  StripeComponent stripes;          // that most bytes of the entry file lie in; rank 0 only
  std::optional<SavePlanStatistics> statistics;  // rank 0 only
};

}  // namespace shardmark
