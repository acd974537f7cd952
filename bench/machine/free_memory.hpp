// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"

namespace shardmark::bench {

/// Local. Whether this node is a guest that gives the memory it does not use back to its host (free
/// page reporting, by a virtio balloon). Whoever takes such a page next waits until the host has
/// found another, which can take longer than writing it to a disk; so what goes through the page
/// cache is fast or slow by how long ago the memory under it was last in use. `devices`: the
/// kernel's folder of virtio devices.
bool gives_free_memory_back(const std::string& devices = "/sys/bus/virtio/devices");

/// The free memory of the nodes, got ready for an operation that goes through the page cache.
class FreeMemory {
 public:
  /// Local. `comm` must outlive it; `goes_back`: gives_free_memory_back() of this rank's node.
  FreeMemory(const NodeTopology& topology, const Communicator& comm, bool goes_back);

  /// Collective, not timed, right before the operation: what is free goes back to the host within a
  /// second. Takes as much of the free memory as this rank will put into the page cache, touches it
  /// and, when all ranks have theirs, lets go of it. At most this rank's share of half of what is
  /// free. Takes nothing on a node whose memory stays there anyhow.
  void touch(std::int64_t num_bytes) const;

 private:
  const Communicator& comm_;
  bool goes_back_;
  std::int64_t ranks_on_node_;
};

}  // namespace shardmark::bench
