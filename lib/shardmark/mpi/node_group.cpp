// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/node_group.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark {
namespace {

/// 0: nothing is pretended.
int pretended_ranks_a_node() {
  const char* const text = std::getenv("SHARDMARK_PRETEND_RANKS_A_NODE");
  return text == nullptr ? 0 : std::max(0, std::atoi(text));
}

}  // namespace

bool on_one_node(const Communicator& comm) {
  const int pretended = pretended_ranks_a_node();
  return pretended > 0 ? pretended >= comm.size() : comm.on_one_node();
}

NodeGroup::NodeGroup(Communicator node, std::vector<int> node_of_rank)
    : node_(std::move(node)), node_of_rank_(std::move(node_of_rank)) {
  for (const int number : node_of_rank_) {
    num_nodes_ = std::max(num_nodes_, number + 1);
  }
}

NodeGroup::~NodeGroup() {
  node_.close();
}

Result<NodeGroup> NodeGroup::from(const Communicator& comm, Communicator node) {
  std::vector<std::int64_t> lowest(static_cast<std::size_t>(comm.size()), 0);
  std::int64_t leader = node.all_reduce(std::int64_t{comm.rank()}, MPI_MIN);
  lowest[static_cast<std::size_t>(comm.rank())] = leader;
  comm.all_reduce(lowest, MPI_MAX);
  std::map<std::int64_t, int> number_of;  // by the node's lowest rank
  for (const std::int64_t rank : lowest) {
    number_of.emplace(rank, 0);
  }
  int count = 0;
  for (auto& [rank, number] : number_of) {
    number = count++;
  }
  std::vector<int> node_of_rank;
  for (const std::int64_t rank : lowest) {
    node_of_rank.push_back(number_of[rank]);
  }
  return NodeGroup(std::move(node), std::move(node_of_rank));
}

Result<NodeGroup> NodeGroup::discover(const Communicator& comm) {
  if (const int pretended = pretended_ranks_a_node(); pretended > 0) {
    SHARDMARK_ASSIGN_OR_RETURN(Communicator node,
                               Communicator::split(comm, comm.rank() / pretended));
    return from(comm, std::move(node));
  }
  SHARDMARK_ASSIGN_OR_RETURN(Communicator node, Communicator::split_by_node(comm));
  return from(comm, std::move(node));
}

Result<NodeGroup> NodeGroup::each_rank(const Communicator& comm) {
  SHARDMARK_ASSIGN_OR_RETURN(Communicator node, Communicator::split(comm, comm.rank()));
  return from(comm, std::move(node));
}

}  // namespace shardmark
