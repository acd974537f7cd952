// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "shardmark/core/box.hpp"
#include "shardmark/core/dims.hpp"
#include "shardmark/core/dtype.hpp"

namespace shardmark {

/// Elements in memory that somebody else owns: where they start, their dtype, extents and strides
/// (both in elements, strides of any sign or order). Passed by value. `data` may be null for
/// planning without memory; then only sizes and dtype mean something.
template <typename Byte>
struct BasicTensorView {
  Byte* data = nullptr;
  Dtype dtype = Dtype::float32;
  Dims sizes;
  Dims strides;

  constexpr int ndim() const noexcept { return sizes.ndim(); }
  constexpr std::int64_t num_elements() const noexcept { return volume(sizes); }
  constexpr std::int64_t num_bytes() const noexcept { return num_elements() * element_size(dtype); }

  /// True if the elements lie end to end in row-major order.
  constexpr bool is_contiguous() const noexcept {
    std::int64_t stride = 1;
    for (int d = ndim() - 1; d >= 0; --d) {
      if (sizes[d] != 1 && strides[d] != stride) {
        return num_elements() == 0;
      }
      stride *= sizes[d];
    }
    return true;
  }

  /// The part of this view that `box` names, offsets counted from the view's own first element.
  constexpr BasicTensorView subview(const Box& box) const noexcept {
    BasicTensorView part = *this;
    part.sizes = box.sizes;
    std::int64_t offset = 0;
    for (int d = 0; d < ndim(); ++d) {
      offset += box.offsets[d] * strides[d];
    }
    if (data != nullptr) {
      part.data = data + offset * element_size(dtype);
    }
    return part;
  }

  /// Implicit: who may write may also read.
  constexpr operator BasicTensorView<const Byte>() const noexcept {  // NOLINT
    return {data, dtype, sizes, strides};
  }
};

using TensorView = BasicTensorView<std::byte>;
using ConstTensorView = BasicTensorView<const std::byte>;

/// Local. A view of contiguous row-major memory.
template <typename Byte>
constexpr BasicTensorView<Byte> contiguous_view(Byte* data, Dtype dtype,
                                                const Dims& sizes) noexcept {
  return {data, dtype, sizes, row_major_strides(sizes)};
}

/// Local. Calls `take(pointer, count)` for every run of elements of the view that lie end to end,
/// in the view's row-major order. One call when it is contiguous.
template <typename Byte, typename Take>
void for_each_contiguous_run(const BasicTensorView<Byte>& view, const Take& take) {
  if (view.num_elements() == 0) {
    return;
  }
  int inner = view.ndim();  // dimensions from `inner` on form one run
  std::int64_t count = 1;
  while (inner > 0 && (view.strides[inner - 1] == count || view.sizes[inner - 1] == 1)) {
    --inner;
    count *= view.sizes[inner];
  }
  Dims at = Dims::filled(inner, 0);
  const std::int64_t itemsize = element_size(view.dtype);
  while (true) {
    std::int64_t offset = 0;
    for (int d = 0; d < inner; ++d) {
      offset += at[d] * view.strides[d];
    }
    take(view.data + offset * itemsize, count);
    int d = inner - 1;
    while (d >= 0 && ++at[d] == view.sizes[d]) {
      at[d--] = 0;
    }
    if (d < 0) {
      return;
    }
  }
}

}  // namespace shardmark
