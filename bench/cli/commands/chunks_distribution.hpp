// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shardmark/protocol/device_mesh.hpp"
#include "shardmark/protocol/placement.hpp"
#include "shardmark/protocol/shard_rule.hpp"

namespace shardmark::bench {

struct ChunksArguments {
  std::string shape;       // "10,7"; empty: a 0-d tensor
  std::string mesh;        // "2,3"
  std::string placements;  // "S(0),R"; optional but for dtensor
  std::string type = "dtensor";
  std::string boxes;        // sharded: "rank:offsets:sizes;..."
  std::string units;        // ragged: "3,1,0,4"
  std::string blocks;       // block-cyclic: "4,4"
  std::string source;       // block-cyclic: "0,0"
  std::string flat_before;  // flat: elements of other tensors before this one
  std::string flat_after;   // flat: and after it
  bool json = false;
};

/// A tensor's distribution, whichever type it has, as the command lists it.
struct ChunksDistribution {
  Dims shape;
  DeviceMesh mesh;
  std::vector<Placement> placements;  // shard dimensions not negative
  /// The boxes that a rank of the mesh holds, by the tensor type's own hook; empty if none.
  std::function<Result<std::vector<Box>>(std::int64_t rank)> boxes_of;
};

/// Local. Errors: invalid_argument (numbers, placements, Partial, an option of another type, more
/// boxes than can be listed).
Result<ChunksDistribution> parse_distribution(const ChunksArguments& arguments);

}  // namespace shardmark::bench
