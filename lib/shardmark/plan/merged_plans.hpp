// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/byte_codec.hpp"
#include "shardmark/plan/chunk_index.hpp"
#include "shardmark/plan/entry_table.hpp"
#include "shardmark/plan/holder_sets.hpp"
#include "shardmark/plan/local_save_plan.hpp"

namespace shardmark {

/// Ranks [first, end).
struct RankInterval {
  std::int32_t first = 0;
  std::int32_t end = 0;
};

/// What some consecutive ranks could write, as if heard one after another: each distinct chunk once
/// (about 24 bytes and its coordinates), each distinct set of holders once. Size and cost follow
/// what is stored, not ranks times tensors. The same whether the ranks came one by one or merged.
struct MergedPlans {
  struct KnownEntry {
    std::string fqn;
    EntryKind kind;
    Dtype dtype;
    Dims sizes;
    int first_rank;
  };
  struct RankTotals {
    std::uint32_t items = 0;
    std::int64_t held_bytes = 0;
    friend bool operator==(const RankTotals&, const RankTotals&) = default;
  };

  MergedPlans() = default;
  // Names are viewed: a copy would view the original's.
  MergedPlans(const MergedPlans&) = delete;
  MergedPlans& operator=(const MergedPlans&) = delete;
  MergedPlans(MergedPlans&&) = default;
  MergedPlans& operator=(MergedPlans&&) = default;

  /// Local. Ranks ascending, each once, from `first_rank` on. Errors: data_loss for damaged bytes;
  /// invalid_argument if this rank disagrees with an earlier one on kind, dtype or shape of an fqn
  /// or on the size of a chunk (naming fqn, both ranks and both values), or lists a chunk twice.
  Status add(int rank, std::span<const std::byte> encoded_local_plan);
  /// Local. Those of `ranks` at once, all above the ones before, as encode() wrote them. Errors:
  /// likewise.
  Status add_merged(RankInterval ranks, std::span<const std::byte> encoded);

  int first_rank = 0;
  std::vector<RankTotals> totals;  // by rank from first_rank on
  std::uint64_t items = 0;
  std::uint64_t bytes_gathered = 0;  // that the ranks have sent each other to get here
  std::deque<KnownEntry> entries;    // stable, so that names can be viewed
  std::unordered_map<std::string_view, std::uint32_t> entry_of_name;
  ChunkIndex chunks;
  std::vector<std::uint32_t> holders;  // by chunk
  HolderSets sets;
  // Empty boxes, where the plans name them: as chunks and holders, and how many chunks were known
  // when each was seen first.
  ChunkIndex empty_boxes;
  std::vector<std::uint32_t> empty_holders;
  std::vector<std::uint32_t> empty_seen_before;

 private:
  class Merge;

  RankTotals& totals_of(int rank);
  std::uint32_t find_or_add(int rank, const LocalSavePlan::PlanEntry& entry);
  /// Of an entry that is known as `id`.
  Status check_entry(std::uint32_t id, int rank, const LocalSavePlan::PlanEntry& entry) const;
  Status check_sizes(std::uint32_t entry, std::uint32_t chunk, int rank, const Box& box) const;
  Result<std::uint32_t> resolve_entry(int rank, const LocalSavePlan::PlanEntry& entry,
                                      std::size_t position);
  Status resolve_box(int rank, std::uint32_t entry, const Box& box, std::size_t position);
  /// Its number. New ones have no holders yet.
  std::uint32_t find_or_add_empty(std::uint32_t entry, const Box& box);

  // What the rank before listed: most ranks list the same names in the same order, and often the
  // same boxes.
  std::vector<std::uint32_t> previous_entries_;
  std::vector<std::uint32_t> previous_chunks_;
};

/// Local. In the order of arrival, so that the reader knows who was heard first. At most 64 bytes a
/// chunk for up to 4 dimensions and extents below 2^32; each name and each set of holders once,
/// sets as runs of ranks.
void encode(const MergedPlans& plans, ByteWriter& out);

}  // namespace shardmark
