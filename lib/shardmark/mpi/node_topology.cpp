// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/node_topology.hpp"

#include <array>
#include <map>

#include "shardmark/core/progress.hpp"

namespace shardmark {

NodeTopology NodeTopology::discover(const Communicator& comm) {
  const ScopedWait wait;
  NodeTopology topology;
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(comm.handle(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL, &node);
  int leader = comm.rank();
  MPI_Bcast(&leader, 1, MPI_INT, 0, node);
  MPI_Comm_rank(node, &topology.node_rank);
  MPI_Comm_free(&node);

  const auto size = static_cast<std::size_t>(comm.size());
  std::vector<int> leaders(size);
  MPI_Allgather(&leader, 1, MPI_INT, leaders.data(), 1, MPI_INT, comm.handle());
  std::array<char, MPI_MAX_PROCESSOR_NAME> host{};
  int length = 0;
  MPI_Get_processor_name(host.data(), &length);
  std::vector<char> hosts(size * host.size());
  MPI_Allgather(host.data(), static_cast<int>(host.size()), MPI_CHAR, hosts.data(),
                static_cast<int>(host.size()), MPI_CHAR, comm.handle());

  std::map<int, int> node_of_leader;  // leaders ascending: nodes by their lowest rank
  for (const int l : leaders) {
    node_of_leader.emplace(l, 0);
  }
  for (auto& [l, number] : node_of_leader) {
    number = topology.num_nodes();
    topology.host_of_node.emplace_back(hosts.data() + static_cast<std::size_t>(l) * host.size());
  }
  for (const int l : leaders) {
    topology.node_of_rank.push_back(node_of_leader[l]);
  }
  return topology;
}

}  // namespace shardmark
