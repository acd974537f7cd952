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
};

std::string_view dedup_policy_name(DedupPolicy policy) noexcept;
std::optional<DedupPolicy> dedup_policy_from_name(std::string_view name) noexcept;

/// Who holds what. Chunks are in canonical order: by fqn, then offsets.
struct DedupInput {
  std::vector<std::int64_t> chunk_bytes;
  std::vector<std::uint32_t> chunk_set;                // index into holder_sets
  std::vector<std::vector<std::int32_t>> holder_sets;  // ranks ascending, none empty, no two equal
  std::int32_t world_size = 0;
};

/// Local. The owner of every chunk; the same for any order in which ranks were heard.
///
/// balanced: holder sets by size ascending, then by their ranks; within a set chunks by bytes
/// descending, then canonical order; each goes to the holder with the fewest bytes so far (ties:
/// the lowest rank). Chunks that only one rank holds come first and count, so replicated bytes flow
/// to the ranks that have least of their own. O(n log n + sum of set sizes).
std::vector<std::int32_t> assign_owners(const DedupInput& input, DedupPolicy policy);

}  // namespace shardmark
