// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/storage/probe/certificate.hpp"

namespace shardmark {

/// Collective. Tries in `folder` what takes two nodes, rank 0 and the lowest rank of another: how
/// far locks reach, and whether two nodes may write parts of one page. Where there is one node,
/// what the type of file system promises stands, and no more. `certificate` is rank 0's; the
/// others' is not looked at. Errors: invalid_argument where the other node does not see the folder.
Status try_nodes(const std::string& folder, const NodeTopology& topology, const Communicator& comm,
                 FileSystemCertificate& certificate);

}  // namespace shardmark
