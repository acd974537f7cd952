// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

namespace shardmark {

/// Who sends to whom on the way to rank 0, node by node: the ranks of a node to its first, the
/// first ones along a binomial tree. Each rank's subtree is a range of ranks, so that what arrives
/// is in ascending order. A node whose ranks are not consecutive counts as several.
class PlanTree {
 public:
  PlanTree(int world_size, const std::function<int(int rank)>& node_of);

  /// -1 for rank 0.
  int parent(int rank) const noexcept;
  /// Ascending.
  std::vector<int> children(int rank) const;

 private:
  std::vector<int> leader_of_;  // by rank: position in leaders_
  std::vector<int> leaders_;
  int world_size_;
};

}  // namespace shardmark
