// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark {

/// The ranks of a communicator by the memory that they can share, and a communicator of those that
/// share this rank's.
class NodeGroup {
 public:
  /// Collective. Nodes are numbered by their lowest rank. With $SHARDMARK_PRETEND_RANKS_A_NODE set
  /// to N, which must be the same on all ranks, every N ranks count as a node: for tests of what
  /// goes between nodes, on one.
  static Result<NodeGroup> discover(const Communicator& comm);
  /// Collective. Each rank by itself.
  static Result<NodeGroup> each_rank(const Communicator& comm);

  NodeGroup(NodeGroup&&) noexcept = default;
  NodeGroup& operator=(NodeGroup&&) = delete;
  ~NodeGroup();

  const Communicator& node() const noexcept { return node_; }
  const std::vector<int>& node_of_rank() const noexcept { return node_of_rank_; }
  int num_nodes() const noexcept { return num_nodes_; }

 private:
  NodeGroup(Communicator node, std::vector<int> node_of_rank);
  static Result<NodeGroup> from(const Communicator& comm, Communicator node);

  Communicator node_;
  std::vector<int> node_of_rank_;
  int num_nodes_ = 0;
};

/// Collective the first time, known after it: whether NodeGroup::discover() would find one node.
bool on_one_node(const Communicator& comm);

}  // namespace shardmark
