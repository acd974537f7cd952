// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace shardmark {

/// Which holder of a replicated chunk writes it.
enum class DedupPolicy : std::uint8_t {
  balanced,     // by real chunk bytes, see assign_owners
  lowest_rank,  // DCP's dedup_save_to_lowest_rank
  dcp,          // DCP's own greedy rule, for comparison
  split,        // replicated chunks are cut over their holders, see cut_over_holders; then balanced
};

std::string_view dedup_policy_name(DedupPolicy policy) noexcept;
std::optional<DedupPolicy> dedup_policy_from_name(std::string_view name) noexcept;

/// A key of DCP's walk: what some rank listed, empty shards included.
struct SeenItem {
  static constexpr std::uint32_t no_chunk = ~0U;
  std::uint32_t chunk = no_chunk;    // nothing is stored of an empty shard
  std::uint32_t set = 0;             // index into holder_sets
  std::int64_t accounted_bytes = 0;  // of the whole tensor; 1 for objects and zero-size tensors
};

/// Who holds what. Chunks are in canonical order: by fqn, then offsets.
struct DedupInput {
  std::vector<std::int64_t> chunk_bytes;
  std::vector<std::uint32_t> chunk_set;                // index into holder_sets
  std::vector<std::vector<std::int32_t>> holder_sets;  // ranks ascending, none empty, no two equal
  std::int32_t world_size = 0;
  std::vector<SeenItem> seen;  // for dcp alone: in the order of ranks, then of their lists
};

/// Local. The owner of every chunk; the same for any order in which ranks were heard.
///
/// balanced: holder sets by size ascending, then by their ranks; within a set chunks by bytes
/// descending, then canonical order; each goes to the holder with the fewest bytes so far (ties:
/// the lowest rank). Chunks that only one rank holds come first and count, so replicated bytes flow
/// to the ranks that have least of their own. O(n log n + sum of set sizes). split: the same, of
/// chunks that are cut already.
///
/// dcp: keys in first-seen order, each to the holder with the fewest accounted bytes so far; ties
/// to the lowest rank, where CPython takes the first of a set of integers.
std::vector<std::int32_t> assign_owners(const DedupInput& input, DedupPolicy policy);

}  // namespace shardmark
