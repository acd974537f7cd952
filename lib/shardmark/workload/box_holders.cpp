// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/box_holders.hpp"

#include <algorithm>

namespace shardmark {

BoxHolders::BoxHolders(std::vector<Pair> pairs, std::size_t num_boxes)
    : pairs_(std::move(pairs)), num_boxes_(num_boxes) {
  std::ranges::sort(pairs_);
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
}

std::span<const BoxHolders::Pair> BoxHolders::of(std::int64_t rank) const noexcept {
  const auto first = std::ranges::lower_bound(pairs_, rank, {}, &Pair::first);
  const auto last = std::ranges::upper_bound(pairs_, rank, {}, &Pair::first);
  return {first, last};
}

}  // namespace shardmark
