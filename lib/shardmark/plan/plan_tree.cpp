// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/plan_tree.hpp"

namespace shardmark {
namespace {

/// The subtree of a leader at `position` > 0 spans this many leaders.
int span_of(int position) noexcept {
  return position & -position;
}

}  // namespace

PlanTree::PlanTree(int world_size, const std::function<int(int rank)>& node_of)
    : world_size_(world_size) {
  leader_of_.reserve(static_cast<std::size_t>(world_size));
  int last_node = -1;
  for (int rank = 0; rank < world_size; ++rank) {
    const int node = node_of(rank);
    if (rank == 0 || node != last_node) {
      leaders_.push_back(rank);
    }
    last_node = node;
    leader_of_.push_back(static_cast<int>(leaders_.size()) - 1);
  }
}

int PlanTree::parent(int rank) const noexcept {
  const int position = leader_of_[static_cast<std::size_t>(rank)];
  if (leaders_[static_cast<std::size_t>(position)] != rank) {
    return leaders_[static_cast<std::size_t>(position)];
  }
  return position == 0 ? -1 : leaders_[static_cast<std::size_t>(position - span_of(position))];
}

std::vector<int> PlanTree::children(int rank) const {
  std::vector<int> list;
  const int position = leader_of_[static_cast<std::size_t>(rank)];
  if (leaders_[static_cast<std::size_t>(position)] != rank) {
    return list;
  }
  for (int mate = rank + 1;
       mate < world_size_ && leader_of_[static_cast<std::size_t>(mate)] == position; ++mate) {
    list.push_back(mate);
  }
  const auto num_leaders = static_cast<int>(leaders_.size());
  const int span = position == 0 ? num_leaders : span_of(position);
  for (int step = 1; step < span && position + step < num_leaders; step *= 2) {
    list.push_back(leaders_[static_cast<std::size_t>(position + step)]);
  }
  return list;
}

}  // namespace shardmark
