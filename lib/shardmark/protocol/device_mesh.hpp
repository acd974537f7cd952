// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark {

/// A grid of ranks. The rank at mesh coordinate c is `first_rank + sum(c[d] * strides[d])`, so a
/// mesh, and every slice of a bigger mesh (one pipeline stage, one tensor-parallel group), takes
/// the same few words however many ranks it has. At most 8 mesh dimensions.
class DeviceMesh {
 public:
  DeviceMesh() = default;

  /// Local. Ranks 0 to product - 1 in row-major order of `shape`: PyTorch's default mesh.
  /// Errors: invalid_argument for an extent below 1 or more than 2^31 ranks.
  static Result<DeviceMesh> row_major(const Dims& shape);

  /// Local. A slice of a bigger mesh. Errors: invalid_argument for an extent below 1, a negative
  /// rank, or two coordinates that are the same rank.
  static Result<DeviceMesh> strided(const Dims& shape, const Dims& strides,
                                    std::int64_t first_rank);

  const Dims& shape() const noexcept { return shape_; }
  const Dims& strides() const noexcept { return strides_; }
  std::int64_t first_rank() const noexcept { return first_rank_; }
  int ndim() const noexcept { return shape_.ndim(); }
  std::int64_t size() const noexcept { return volume(shape_); }

  /// Local. Where `rank` stands, or nothing if it is outside this mesh. O(ndim).
  std::optional<Dims> coordinate(std::int64_t rank) const noexcept;

  /// Local. The rank at a coordinate inside the mesh.
  std::int64_t rank_at(const Dims& coordinate) const noexcept;

  friend bool operator==(const DeviceMesh&, const DeviceMesh&) = default;

 private:
  Dims shape_;
  Dims strides_;
  std::int64_t first_rank_ = 0;
};

}  // namespace shardmark
