// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "shardmark/plan/owners/holder_balance.hpp"
#include "shardmark/plan/owners/save_plan.hpp"

namespace shardmark {

void GlobalSavePlan::ensure_owners() {
  if (!layout_policy || owners.size() == chunks.size()) {
    return;
  }
  owners.assign(chunks.size(), 0);
  for (const auto& [chunk, owner] : listed_owners) {
    owners[chunk] = owner;
  }
  fill_layout_owners(entries, chunks, *layout_policy, owners);
  first_of_rank.assign(static_cast<std::size_t>(world_size) + 1, 0);
  for (const std::int32_t owner : owners) {
    ++first_of_rank[static_cast<std::size_t>(owner) + 1];
  }
  std::partial_sum(first_of_rank.begin(), first_of_rank.end(), first_of_rank.begin());
  chunks_of_rank.resize(owners.size());
  std::vector<std::uint64_t> next(first_of_rank.begin(), first_of_rank.end() - 1);
  for (std::size_t chunk = 0; chunk < owners.size(); ++chunk) {
    chunks_of_rank[next[static_cast<std::size_t>(owners[chunk])]++] = chunk;
  }
}

void GlobalSavePlan::ensure_statistics() {
  if (layout_policy && !has_statistics_) {
    add_layout_statistics(entries, chunks, *layout_policy, world_size, statistics);
    has_statistics_ = true;
  }
}

}  // namespace shardmark
