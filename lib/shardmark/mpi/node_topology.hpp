// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/mpi/communicator.hpp"

namespace shardmark {

/// Which ranks share a compute node (share memory, by MPI's word), nodes numbered by their lowest
/// rank.
struct NodeTopology {
  std::vector<int> node_of_rank;
  std::vector<std::string> host_of_node;
  int node_rank = 0;  // this rank's place among the ranks of its node

  int num_nodes() const noexcept { return static_cast<int>(host_of_node.size()); }
  /// Ranks on the node of `rank`, itself included.
  std::int64_t num_ranks_beside(int rank) const {
    return std::count(node_of_rank.begin(), node_of_rank.end(),
                      node_of_rank[static_cast<std::size_t>(rank)]);
  }

  /// Collective.
  static NodeTopology discover(const Communicator& comm);
};

}  // namespace shardmark
