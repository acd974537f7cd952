// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shardmark/tensor/boxed_tensor.hpp"

namespace shardmark {

/// One box of an explicit sharding, and the rank that holds it.
struct OwnedBox {
  Box box;
  std::int64_t rank = 0;
};

/// Which rank holds which box of a tensor: an explicit list, zero or more boxes a rank, in any
/// order of owners. Source: torch.distributed's ChunkShardingSpec and EnumerableShardingSpec, with
/// their checks.
class ShardingSpec {
 public:
  /// Local. O(n log n). Empty boxes are dropped. Errors: invalid_argument, naming the box, for a
  /// wrong ndim, a box out of bounds, two that overlap, an element in none, a negative rank.
  static Result<ShardingSpec> make(const Dims& global_sizes, std::vector<OwnedBox> boxes);

  const Dims& global_sizes() const noexcept { return global_sizes_; }
  std::span<const OwnedBox> boxes() const noexcept { return boxes_; }
  /// Local. The boxes of one rank, in the order of the list.
  std::vector<Box> boxes_of(std::int64_t rank) const;

 private:
  Dims global_sizes_;
  std::vector<OwnedBox> boxes_;
};

/// A tensor cut by an explicit list of boxes; no replicas. A rank may hold none.
/// Source: torch.distributed._shard.sharded_tensor.ShardedTensor; empty shards are not listed.
class ShardedTensor : public BoxedTensor {
 public:
  /// Local. `locals` are the elements of boxes_of(rank), in that order, each in any strides.
  /// Errors: invalid_argument if their number, sizes or dtype differ from the spec's.
  static Result<ShardedTensor> from_local(std::span<const TensorView> locals, Dtype dtype,
                                          const ShardingSpec& spec, std::int64_t rank);

  /// Local. One rank's boxes of a sharding that the caller has checked as a whole: for worlds whose
  /// list is too long to go through for each rank. Others may hold the same boxes. Errors:
  /// invalid_argument for a box that leaves the tensor, or is not as its elements are.
  static Result<ShardedTensor> from_boxes(const Dims& global_sizes, Dtype dtype,
                                          std::vector<HeldBox> boxes);

 private:
  using BoxedTensor::BoxedTensor;
};

}  // namespace shardmark
