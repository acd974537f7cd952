// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace shardmark {

/// Along which ranks plans pass to rank 0: first to the leader of their node, its lowest rank, then
/// along a binomial tree of leaders. A node whose ranks do not follow one another counts as
/// several, so that every rank speaks for consecutive ranks, [rank, end_of(rank)).
class PlanTree {
 public:
  /// Local. O(ranks).
  PlanTree(int world_size, const std::function<int(int rank)>& node_of);

  /// Rank 0 has none: -1.
  int parent_of(int rank) const noexcept;
  /// Ascending, which is the order of merging: the nearest first.
  std::vector<int> children_of(int rank) const;
  int end_of(int rank) const noexcept;
  /// Steps to rank 0.
  int level_of(int rank) const noexcept;

 private:
  std::size_t group_of(int rank) const noexcept;
  std::size_t num_groups() const noexcept { return first_.size() - 1; }
  /// Groups that the leader of `group` speaks for, itself included.
  std::size_t span_of(std::size_t group) const noexcept;

  std::vector<int> first_;  // ranks of leaders, and the world's size
};

}  // namespace shardmark
