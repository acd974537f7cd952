// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/dims.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/protocol/placement.hpp"

namespace shardmark {

/// One box of a rank's part: where it lies in the global tensor, and where in the rank's local
/// tensor.
struct LocalBox {
  Box box;
  Dims local_offsets;

  friend bool operator==(const LocalBox&, const LocalBox&) = default;
};

/// What the placements give one mesh coordinate.
struct LocalShard {
  Dims local_sizes;    // extents of the local tensor
  Dims global_offset;  // first global index held; the global extent where nothing is held
  /// Row-major order of offsets. One box unless a strided placement leaves several runs; an empty
  /// part is one empty box at global_offset.
  std::vector<LocalBox> boxes;
};

/// Local. DCP's current "index rule" (torch.distributed.tensor._utils), placement by placement from
/// left to right: Shard gives part r of m the entries ceil(n/m)*r onwards; StridedShard(d, k) cuts
/// what is left into k pieces and takes cut r of each. Works on runs, never on single indices: cost
/// grows with the number of runs, not with extents.
///
/// Errors: invalid_argument if a shard dimension is outside the tensor, lengths differ, the tensor
/// has 2^63 elements or more, the coordinate is outside the mesh, or a placement is Partial.
Result<LocalShard> compute_local_shard(const Dims& global_sizes, const Dims& mesh_shape,
                                       const Dims& coordinate,
                                       std::span<const Placement> placements);

/// Local. compute_local_shard() for many coordinates of one layout, once check_placements() has
/// passed: no checks, and `shard` keeps its memory. The coordinate must lie in the mesh.
void recompute_local_shard(const Dims& global_sizes, const Dims& mesh_shape, const Dims& coordinate,
                           std::span<const Placement> placements, LocalShard& shard);

/// Local. The checks of compute_local_shard alone; they hold for all coordinates or for none.
Status check_placements(const Dims& global_sizes, const Dims& mesh_shape,
                        std::span<const Placement> placements);

}  // namespace shardmark
