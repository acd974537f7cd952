// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/box_holders.hpp"

#include <algorithm>

namespace shardmark {

BoxHolders::BoxHolders(std::vector<Pair> pairs, std::size_t num_boxes)
    : pairs_(std::move(pairs)), num_boxes_(num_boxes) {
  std::ranges::sort(pairs_);
  const auto same = std::ranges::unique(pairs_);
  pairs_.erase(same.begin(), same.end());
}

std::span<const BoxHolders::Pair> BoxHolders::of(std::int64_t rank) const noexcept {
  const auto found = std::ranges::equal_range(pairs_, rank, {}, &Pair::first);
  return {found.begin(), found.end()};
}

}  // namespace shardmark
