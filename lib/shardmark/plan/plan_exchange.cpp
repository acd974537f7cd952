// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/plan_exchange.hpp"

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
    SHARDMARK_ASSIGN_OR_RETURN(const Bytes bytes, make(rank));
    if (rank != 0) {
      ++traffic_.messages;
      traffic_.bytes_gathered += bytes.size();
    }
    SHARDMARK_RETURN_IF_ERROR(take(rank, bytes));
  }
  return {};
}

Status LocalPlanExchange::scatter(const Make& make, const Take& take) {
  for (const int rank : ranks_) {
    SHARDMARK_ASSIGN_OR_RETURN(const Bytes bytes, make(rank));
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
  return {};
}

}  // namespace shardmark
