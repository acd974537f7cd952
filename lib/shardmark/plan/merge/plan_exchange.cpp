// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/plan_exchange.hpp"

#include <algorithm>
#include <numeric>

namespace shardmark {

LocalPlanExchange::LocalPlanExchange(int world_size, int ranks_per_node)
    : world_size_(world_size),
      ranks_(static_cast<std::size_t>(world_size)),
      ranks_per_node_(ranks_per_node) {
  std::iota(ranks_.begin(), ranks_.end(), 0);
}

LocalPlanExchange::LocalPlanExchange(int world_size, std::vector<int> played_ranks,
                                     int ranks_per_node)
    : world_size_(world_size), ranks_(std::move(played_ranks)), ranks_per_node_(ranks_per_node) {}

Status LocalPlanExchange::gather(const Make& make, const Take& take) {
  for (const int rank : ranks_) {
    turn(rank, rank);
    SHARDMARK_ASSIGN_OR_RETURN(const Bytes bytes, make(rank));
    if (rank != 0) {
      count_gathered(1, bytes.size());
    }
    turn(0, rank);
    SHARDMARK_RETURN_IF_ERROR(take(rank, bytes));
  }
  return {};
}

void LocalPlanExchange::count_gathered(int level, std::size_t num_bytes) {
  auto& levels = traffic_.gathered_by_level;
  const auto at = static_cast<std::size_t>(level - 1);
  levels.resize(std::max(levels.size(), at + 1));
  ++levels[at].messages;
  levels[at].bytes += num_bytes;
  levels[at].largest_bytes = std::max<std::uint64_t>(levels[at].largest_bytes, num_bytes);
  ++traffic_.messages;
  traffic_.bytes_gathered += num_bytes;
}

Result<PlanExchange::Bytes> LocalPlanExchange::gather_part(const PlanTree& tree, int rank,
                                                           PlanMerge& merge) {
  turn(rank, rank);
  SHARDMARK_RETURN_IF_ERROR(merge.begin(rank));
  for (const int child : tree.children_of(rank)) {
    SHARDMARK_ASSIGN_OR_RETURN(const Bytes bytes, gather_part(tree, child, merge));
    count_gathered(tree.level_of(child), bytes.size());
    turn(rank, child);
    SHARDMARK_RETURN_IF_ERROR(merge.take(rank, child, bytes));
  }
  return rank == 0 ? Bytes() : merge.make(rank);
}

Status LocalPlanExchange::gather_along(const PlanTree& tree, PlanMerge& merge) {
  return Status(gather_part(tree, 0, merge));
}

Status LocalPlanExchange::scatter_along(const PlanTree& tree, const Make& make, const Take& take) {
  for (const int rank : ranks_) {
    turn(0, 0);
    SHARDMARK_ASSIGN_OR_RETURN(const Bytes bytes, make(rank));
    turn(rank, 0);
    if (rank != 0) {
      ++traffic_.messages;
      traffic_.bytes_scattered += bytes.size() * static_cast<std::uint64_t>(tree.level_of(rank));
    }
    SHARDMARK_RETURN_IF_ERROR(take(rank, bytes));
  }
  return {};
}

Status LocalPlanExchange::scatter(const Make& make, const Take& take) {
  for (const int rank : ranks_) {
    turn(0, 0);
    SHARDMARK_ASSIGN_OR_RETURN(const Bytes bytes, make(rank));
    turn(rank, 0);
    if (rank != 0) {
      ++traffic_.messages;
      traffic_.bytes_scattered += bytes.size();
    }
    SHARDMARK_RETURN_IF_ERROR(take(rank, bytes));
  }
  return {};
}

Status LocalPlanExchange::broadcast(Bytes& bytes) {
  const auto receivers = static_cast<std::uint64_t>(world_size_ - 1);
  traffic_.messages += receivers;
  traffic_.bytes_broadcast += receivers * bytes.size();
  return {};
}

// One process holds the values of all the ranks it plays already reduced.
Status LocalPlanExchange::all_reduce(std::span<std::uint64_t> /*values*/, ReduceOp /*op*/) {
  traffic_.messages += static_cast<std::uint64_t>(world_size_ - 1);
  turn(0, everybody);
  return {};
}

}  // namespace shardmark
