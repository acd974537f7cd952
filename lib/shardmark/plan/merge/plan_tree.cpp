// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/plan_tree.hpp"

#include <algorithm>
#include <bit>

namespace shardmark {

PlanTree::PlanTree(int world_size, const std::function<int(int rank)>& node_of) {
  int node = -1;
  for (int rank = 0; rank < world_size; ++rank) {
    if (const int next = node_of(rank); rank == 0 || next != node) {
      first_.push_back(rank);
      node = next;
    }
  }
  first_.push_back(world_size);
}

std::size_t PlanTree::group_of(int rank) const noexcept {
  return static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), rank) -
                                  first_.begin()) -
         1;
}

std::size_t PlanTree::span_of(std::size_t group) const noexcept {
  const std::size_t rest = num_groups() - group;
  return group == 0 ? rest : std::min(rest, group & (~group + 1));
}

int PlanTree::parent_of(int rank) const noexcept {
  const std::size_t group = group_of(rank);
  if (rank != first_[group]) {
    return first_[group];
  }
  return group == 0 ? -1 : first_[group & (group - 1)];
}

std::vector<int> PlanTree::children_of(int rank) const {
  std::vector<int> children;
  const std::size_t group = group_of(rank);
  if (rank != first_[group]) {
    return children;
  }
  for (int other = rank + 1; other < first_[group + 1]; ++other) {
    children.push_back(other);
  }
  for (std::size_t step = 1; step < span_of(group); step *= 2) {
    children.push_back(first_[group + step]);
  }
  return children;
}

int PlanTree::end_of(int rank) const noexcept {
  const std::size_t group = group_of(rank);
  return rank == first_[group] ? first_[group + span_of(group)] : rank + 1;
}

int PlanTree::level_of(int rank) const noexcept {
  const std::size_t group = group_of(rank);
  return std::popcount(group) + (rank == first_[group] ? 0 : 1);
}

}  // namespace shardmark
