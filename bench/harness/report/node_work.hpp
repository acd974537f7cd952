// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/harness/measure/sample.hpp"
#include "shardmark/mpi/node_topology.hpp"

namespace shardmark::bench {

/// Local. Seconds that each rank worked in phases that all ranks take part in: hooks, local_plan,
/// stage, write, flush, load_plan, read, verify. Waiting, and what rank 0 does for all, say nothing
/// about a rank's node. Empty after a failure.
std::vector<double> shared_work(const Sample& sample);

/// Local. Mean of `by_rank` over the ranks of each node.
std::vector<double> mean_by_node(std::span<const double> by_rank, const NodeTopology& topology);

/// A node that works longer than the others.
struct SlowestNode {
  int node = 0;
  double excess = 0;  // over the middle node, 0.5 = half as long again
};

/// Local. Nullopt on one node, or if nothing was done.
std::optional<SlowestNode> slowest_node(std::span<const double> by_node);

/// Shares above this are called slow.
inline constexpr double slow_node_excess = 0.15;

}  // namespace shardmark::bench
