// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/node_work.hpp"

#include <algorithm>

namespace shardmark::bench {
namespace {

constexpr auto shared_phases = phases_where<&PhaseTraits::of_all_ranks>();

}  // namespace

std::vector<double> shared_work(const Sample& sample) {
  std::vector<double> work;
  work.reserve(sample.phases.size());
  for (const PhaseTimes& times : sample.phases) {
    double seconds = 0;
    for (const Phase phase : shared_phases) {
      seconds += times[phase];
    }
    work.push_back(seconds);
  }
  return work;
}

std::vector<double> mean_by_node(std::span<const double> by_rank, const NodeTopology& topology) {
  const auto num_nodes = static_cast<std::size_t>(topology.num_nodes());
  std::vector<double> sums(num_nodes, 0.0);
  std::vector<double> counts(num_nodes, 0.0);
  for (std::size_t rank = 0; rank < std::min(by_rank.size(), topology.node_of_rank.size());
       ++rank) {
    const auto node = static_cast<std::size_t>(topology.node_of_rank[rank]);
    sums[node] += by_rank[rank];
    counts[node] += 1;
  }
  for (std::size_t node = 0; node < num_nodes; ++node) {
    sums[node] = counts[node] > 0 ? sums[node] / counts[node] : 0;
  }
  return sums;
}

std::optional<SlowestNode> slowest_node(std::span<const double> by_node) {
  if (by_node.size() < 2) {
    return std::nullopt;
  }
  std::vector<double> sorted(by_node.begin(), by_node.end());
  std::ranges::sort(sorted);
  const double middle = sorted[(sorted.size() - 1) / 2];
  if (middle <= 0) {
    return std::nullopt;
  }
  const auto slowest = std::ranges::max_element(by_node);
  return SlowestNode{static_cast<int>(slowest - by_node.begin()), *slowest / middle - 1};
}

}  // namespace shardmark::bench
