// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace shardmark {

/// Sets of ranks that grow by ascending rank, each distinct set stored once: a set is its last rank
/// and the set before. Equal sets have equal ids, so a million chunks with the same holders cost a
/// million small numbers.
class HolderSets {
 public:
  static constexpr std::uint32_t none = 0;  // the empty set

  HolderSets() : nodes_{{none, -1}} {}

  /// Local. `set` and `rank`; ranks must come in ascending order over all calls.
  std::uint32_t with(std::uint32_t set, std::int32_t rank) {
    if (rank != current_rank_) {
      current_rank_ = rank;
      grown_.clear();
      last_from_ = ~0U;
    }
    if (set == last_from_) {
      return last_to_;
    }
    const auto [at, added] = grown_.try_emplace(set, static_cast<std::uint32_t>(nodes_.size()));
    if (added) {
      nodes_.push_back({set, rank});
    }
    last_from_ = set;
    last_to_ = at->second;
    return last_to_;
  }

  /// Local. `set` and `ranks`, ascending and above all in it. The caller asks once for each pair:
  /// every call makes a new set.
  std::uint32_t append(std::uint32_t set, std::span<const std::int32_t> ranks) {
    for (const std::int32_t rank : ranks) {
      nodes_.push_back({set, rank});
      set = static_cast<std::uint32_t>(nodes_.size() - 1);
    }
    return set;
  }

  std::int32_t last_rank(std::uint32_t set) const noexcept { return nodes_[set].rank; }

  /// Local. The ranks of a set, ascending.
  std::vector<std::int32_t> ranks(std::uint32_t set) const {
    std::vector<std::int32_t> list;
    for (; set != none; set = nodes_[set].rest) {
      list.push_back(nodes_[set].rank);
    }
    std::reverse(list.begin(), list.end());
    return list;
  }

 private:
  struct Node {
    std::uint32_t rest;
    std::int32_t rank;
  };
  std::vector<Node> nodes_;
  std::int32_t current_rank_ = -1;
  std::unordered_map<std::uint32_t, std::uint32_t> grown_;  // by current_rank_
  std::uint32_t last_from_ = ~0U;
  std::uint32_t last_to_ = 0;
};

}  // namespace shardmark
