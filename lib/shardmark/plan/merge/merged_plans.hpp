// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/entry_chunks.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/plan/tables/holder_sets.hpp"

namespace shardmark {

/// Ranks [first, end).
struct RankInterval {
  std::int32_t first = 0;
  std::int32_t end = 0;
};

/// What some consecutive ranks could write, as if heard one after another: each
/// distinct chunk once (16 bytes a dimension and 4), each distinct set of
/// holders once. Size and cost follow what is stored, not ranks times tensors.
/// The same whether the ranks came one by one or merged.
struct MergedPlans {
  /// Distinct boxes of one entry and the ranks that have them.
  struct HeldChunks {
    EntryChunks boxes;
    std::vector<std::uint32_t> holders;  // in `sets`, by box
    std::vector<std::uint32_t> arrival;  // if order is kept: the place of each among all boxes
  };
  struct KnownEntry {
    std::string fqn;
    EntryKind kind;
    Dtype dtype;
    Dims sizes;
    int first_rank;
    HeldChunks chunks;
    HeldChunks empty;  // if order is kept, as empty boxes matter to the same rule
  };
  struct RankTotals {
    std::uint32_t items = 0;
    std::int64_t held_bytes = 0;
    friend bool operator==(const RankTotals&, const RankTotals&) = default;
  };

  /// `keeps_order`: remembers which box was heard of first, empty ones
  /// included; for DCP's rule.
  explicit MergedPlans(int from_rank = 0, bool keeps_order = false)
      : first_rank(from_rank), ordered(keeps_order) {}
  // Names are viewed: a copy would view the original's.
  MergedPlans(const MergedPlans&) = delete;
  MergedPlans& operator=(const MergedPlans&) = delete;
  MergedPlans(MergedPlans&&) = default;
  MergedPlans& operator=(MergedPlans&&) = default;

  /// Local. Ranks ascending, each once, from `first_rank` on. Errors: data_loss
  /// for damaged bytes; invalid_argument if this rank disagrees with an earlier
  /// one on kind, dtype or shape of an fqn or on the size of a chunk (naming
  /// fqn, both ranks and both values), or lists a chunk twice.
  Status add(int rank, std::span<const std::byte> encoded_local_plan);
  /// Local. Those of `ranks` at once, all above the ones before, as encode()
  /// wrote them. Errors: likewise.
  Status add_merged(RankInterval ranks, std::span<const std::byte> encoded);

  int first_rank;
  bool ordered;
  std::vector<RankTotals> totals;  // by rank from first_rank on
  std::uint64_t items = 0;
  std::uint64_t bytes_gathered = 0;  // that the ranks have sent each other to get here
  std::uint64_t num_chunks = 0;      // distinct ones
  std::deque<KnownEntry> entries;    // stable, so that names can be viewed
  std::unordered_map<std::string_view, std::uint32_t> entry_of_name;
  HolderSets sets;

 private:
  class Merge;

  RankTotals& totals_of(int rank);
  std::uint32_t find_or_add(int rank, const LocalSavePlan::PlanEntry& entry);
  /// Of an entry that is known as `id`.
  Status check_entry(std::uint32_t id, int rank, const LocalSavePlan::PlanEntry& entry) const;
  /// The next entry of a rank's plan, at `position` in it: previous_[position]
  /// is about it then. False at the end, or after a violation.
  Result<bool> next_entry(int rank, std::size_t position, LocalPlanReader& in);
  /// The number of the box at `coordinates`. A new one has no holders yet.
  std::uint32_t find_or_add(HeldChunks& known, const std::int64_t* coordinates);
  Status add_box(int rank, KnownEntry& entry, std::span<const std::int64_t> coordinates);
  Error sizes_differ(const KnownEntry& entry, std::uint32_t chunk, int rank,
                     std::span<const std::int64_t> coordinates) const;

  /// An entry as the rank before listed it; headers_ holds its bytes from those
  /// of the one before it on, up to `header_end`.
  struct Listed {
    std::uint32_t id = 0;
    std::size_t header_end = 0;
    LocalSavePlan::PlanEntry entry;
  };
  // Most ranks list the same names in the same order: then bytes are compared
  // and nothing is read.
  std::vector<Listed> previous_;
  std::vector<std::byte> headers_;
  std::uint32_t next_arrival_ = 0;
};

/// Local. At most 64 bytes a chunk for up to 4 dimensions and extents below
/// 2^32; each name and each set of holders once, sets as runs of ranks.
void encode(const MergedPlans& plans, ByteWriter& out);

}  // namespace shardmark
