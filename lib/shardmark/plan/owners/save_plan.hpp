// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/plan/owners/dedup.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// One chunk that a rank writes.
struct PlannedWrite {
  std::uint32_t entry = 0;  // in the EntryTable
  std::uint64_t chunk = 0;  // among all chunks: the place of its checksum
  Dims source;              // corner of the hook's box: what get_tensor_shard is asked for
  Box box;                  // the part of that box which is written, in the global tensor
};

/// Everything that one rank writes, by entry and then by offsets.
struct SavePlan {
  std::vector<PlannedWrite> writes;
};

/// Local. One rank's plan as the coordinator sends it.
void encode(const SavePlan& plan, const EntryTable& entries, ByteWriter& out);
/// Local. Errors: data_loss for anything that encode() cannot have written for these entries.
Result<SavePlan> decode_save_plan(std::span<const std::byte> bytes, const EntryTable& entries);

/// How the stored bytes spread over ranks. An imbalance of 1 is perfect.
struct SavePlanStatistics {
  std::uint64_t items = 0;                    // write items of all ranks before de-duplication
  std::int64_t num_bytes = 0;                 // stored bytes, objects included
  std::int64_t deduplicated_bytes = 0;        // what replicas would add
  std::vector<std::int64_t> rank_bytes;       // what each rank writes
  std::vector<std::uint32_t> rank_items;      // what each rank could write
  std::vector<std::int64_t> rank_held_bytes;  // of those items
  std::uint64_t bytes_gathered = 0;           // local plans on the wire
  std::uint64_t bytes_scattered = 0;          // assigned plans and the entry table's copies
};

/// What the coordinator keeps of a plan.
struct GlobalSavePlan {
  EntryTable entries;
  ChunkTable chunks;
  std::vector<std::int32_t> owners;  // by chunk
  // Chunks that are parts of a hook's box, ascending, and the corners of those boxes.
  std::vector<std::pair<std::uint64_t, Dims>> sources;
  SavePlanStatistics statistics;

  // Chunks of each rank: chunks_of_rank[first_of_rank[r] .. first_of_rank[r + 1]), ascending.
  std::vector<std::uint64_t> chunks_of_rank;
  std::vector<std::uint64_t> first_of_rank;

  // After planning by layouts, `owners`, `chunks_of_rank`, `first_of_rank` and the statistics are
  // not there until somebody asks: no rank needs them to save.
  std::optional<DedupPolicy> layout_policy;  // none: everything above is there
  std::int64_t world_size = 0;
  std::vector<std::pair<std::uint64_t, std::int32_t>> listed_owners;  // of chunks without a layout

  /// Local. Fills in what an earlier call has not. O(chunks).
  void ensure_owners();
  /// Local. Likewise for the statistics. O(ranks times distinct layouts), no chunk is visited.
  void ensure_statistics();

  /// Local. The plan of one rank; owners must be there.
  SavePlan plan_of(int rank) const;

 private:
  bool has_statistics_ = false;
};

/// Local. Its entry table, without a copy: keeps the plan alive.
inline std::shared_ptr<const EntryTable> entries_of(
    const std::shared_ptr<const GlobalSavePlan>& plan) noexcept {
  return {plan, &plan->entries};
}

}  // namespace shardmark
