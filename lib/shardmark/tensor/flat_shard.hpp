// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/tensor/boxed_tensor.hpp"
#include "shardmark/tensor/flat_range.hpp"

namespace shardmark {

/// Where one tensor stands in a flat buffer: the flattened concatenation of many tensors that is
/// cut over ranks without regard to where tensors begin.
struct FlatPosition {
  Dims global_sizes;
  Dtype dtype = Dtype::float32;
  /// The part of the tensor that was flattened: the whole box for FSDP1 and ZeRO, a
  /// tensor-parallel shard for Megatron's distributed optimizer.
  Box window;
  std::int64_t begin = 0;  // of the window's first element in the concatenation
  FlatRange held;          // of the concatenation, by this rank; empty on ranks that take no part
};

/// One tensor's part of a rank's flat buffer. A range of a flattened box is no box: it is cut into
/// at most 2 * ndim - 1, each a view into the one buffer.
/// Source: FSDP1's FlatParameter, DeepSpeed's ZeRO, Megatron's distributed optimizer.
class FlatShard : public BoxedTensor {
 public:
  /// Local. `buffer` is one-dimensional and holds the elements of `position.held`, of this tensor
  /// and of its neighbours, in any stride; `data` may be null to plan without memory.
  /// Errors: invalid_argument if the buffer has not that many elements or another dtype, or the
  /// window is out of bounds.
  static Result<FlatShard> from_buffer(const TensorView& buffer, const FlatPosition& position);

  /// Local. This tensor's part of `position.held`, counted in the concatenation.
  static FlatRange part(const FlatPosition& position) noexcept;

 private:
  using BoxedTensor::BoxedTensor;
};

/// Local. What part `index` of `parts` holds of `num_elements`: ceil(n / parts) each, the last ones
/// short or empty, as FSDP1 cuts a flat parameter (its padding left out).
FlatRange flat_part(std::int64_t num_elements, std::int64_t parts, std::int64_t index) noexcept;

}  // namespace shardmark
