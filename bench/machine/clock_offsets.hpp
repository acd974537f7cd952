// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"

namespace shardmark::bench {

/// How a node's steady clock differs from that of rank 0's node.
struct ClockOffset {
  std::int64_t offset_ns = 0;  // to add to the node's time to get rank 0's
  std::int64_t error_ns = 0;   // at most: half of the quickest round trip
};

/// Collective. By node, measured by messages to and fro; on rank 0 only. Zero for its own node.
std::vector<ClockOffset> measure_clock_offsets(const NodeTopology& topology,
                                               const Communicator& comm);

}  // namespace shardmark::bench
