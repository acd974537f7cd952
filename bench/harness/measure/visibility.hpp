// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"

namespace shardmark::bench {

/// When others saw a checkpoint.
struct Visibility {
  std::optional<double> visible_s;  // rank 0; nullopt where nobody could look
  std::string from;                 // "other-nodes", "other-rank", "child-process"; empty: nobody
  std::int64_t looks = 0;           // rank 0: of the observer who took most; 1: all saw it at once
};

/// Local. The ranks that observe: the lowest of every node but rank 0's, else the highest rank;
/// none in a world of one.
std::vector<int> observing_ranks(const NodeTopology& topology);

/// Collective, after a save. Observers poll until they have opened `step` and checked one chunk of
/// every file between them; visible_s is rank 0's receipt of the last word, counted from `start_s`
/// of its steady_seconds(). Errors, agreed: what an observer found wrong.
Result<Visibility> observe(const std::string& directory, std::int64_t step, double start_s,
                           const NodeTopology& topology, const Communicator& comm);

}  // namespace shardmark::bench
