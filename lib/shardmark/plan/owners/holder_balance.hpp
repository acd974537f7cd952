// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shardmark/plan/owners/dedup.hpp"
#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// Local. Spreads chunks over the holders of one set, by itself: `bytes` descending, each to the
/// holder with the fewest so far, ties to the lowest place. Gives a place for each. Only as many
/// holders as there are chunks cost anything: O(n log n) whatever the set's size.
std::vector<std::int64_t> spread_over_holders(std::span<const std::int64_t> bytes,
                                              std::int64_t num_holders);

/// Local. True for the policies whose owners follow from layouts alone: balanced, where each holder
/// set is balanced by itself, and lowest-rank.
bool has_layout_owners(DedupPolicy policy) noexcept;

/// Local. What `rank` writes of the entries that have a grid; entry numbers and chunks are those of
/// `entries`. O(entries + this rank's chunks log of them), whatever the world size.
SavePlan layout_writes(std::int64_t rank, const EntryTable& entries, const ChunkTable& chunks,
                       DedupPolicy policy);

/// Local. The owner of every chunk that a grid describes; others keep what `owners` says.
/// O(chunks).
void fill_layout_owners(const EntryTable& entries, const ChunkTable& chunks, DedupPolicy policy,
                        std::span<std::int32_t> owners);

/// Local. Adds what all ranks hold and write of the entries that have a grid. O(ranks times
/// distinct layouts): no chunk is visited.
void add_layout_statistics(const EntryTable& entries, const ChunkTable& chunks, DedupPolicy policy,
                           std::int64_t world_size, SavePlanStatistics& statistics);

}  // namespace shardmark
