// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "shardmark/tensor/boxed_tensor.hpp"
#include "shardmark/tensor/flat_range.hpp"

namespace shardmark {

/// A tensor whose leading dimensions are flattened and cut unevenly: rank i gets `units[i]` units
/// of elements. Source: veScale's RaggedShard.
class RaggedShard : public BoxedTensor {
 public:
  /// Local. What rank `index` holds of the flattened tensor. The first `leading_dims` dimensions
  /// (-1: all) are flattened to n; a unit is ceil(n / sum of units) of them, whole slices of the
  /// other dimensions; the last ranks' units end with the tensor, short where n does not divide.
  /// Errors: invalid_argument for a negative unit, units that are all 0, their sum past 2^63 - 1,
  /// an index outside, leading_dims outside 1 to ndim.
  static Result<FlatRange> held_range(const Dims& global_sizes, std::span<const std::int64_t> units,
                                      std::int64_t index, int leading_dims = -1);

  /// Local. `buffer` is one-dimensional and holds the elements of `held`, a range of the flattened
  /// tensor, in any stride. It is cut into at most 2 * ndim - 1 boxes, views into it.
  /// Errors: invalid_argument if it has another size, or the range is out of bounds.
  static Result<RaggedShard> from_buffer(const TensorView& buffer, const Dims& global_sizes,
                                         const FlatRange& held);

 private:
  explicit RaggedShard(BoxedTensor tensor) : BoxedTensor(std::move(tensor)) {}
};

}  // namespace shardmark
