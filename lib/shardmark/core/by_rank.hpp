// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>

namespace shardmark {

/// What a list by rank (or by node) holds for `rank`, which must be in it: ranks are signed
/// everywhere, as in MPI, positions are not.
template <typename List, std::integral Rank>
constexpr decltype(auto) of_rank(List&& by_rank, Rank rank) {
  return by_rank[static_cast<std::size_t>(rank)];
}

}  // namespace shardmark
