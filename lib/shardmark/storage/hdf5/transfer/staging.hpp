// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "shardmark/core/tensor_view.hpp"

namespace shardmark {

/// The one place where elements are copied: a contiguous buffer for views whose strides no transfer
/// can express.
class StagingBuffer {
 public:
  /// Local. Packs the view's elements in row-major order; the result is good until the next call.
  ConstTensorView pack(const ConstTensorView& elements) {
    const TensorView staging = reserve(elements);
    std::byte* to = staging.data;
    const auto itemsize = static_cast<std::size_t>(element_size(elements.dtype));
    for_each_contiguous_run(elements, [&](const std::byte* from, std::int64_t count) {
      std::memcpy(to, from, static_cast<std::size_t>(count) * itemsize);
      to += static_cast<std::size_t>(count) * itemsize;
    });
    return staging;
  }

  /// Local. Contiguous room for as many elements as `like` has.
  TensorView reserve(const ConstTensorView& like) {
    const auto num_bytes = static_cast<std::size_t>(like.num_bytes());
    if (buffer_.size() < num_bytes) {
      buffer_.resize(num_bytes);
    }
    return contiguous_view(buffer_.data(), like.dtype, like.sizes);
  }

  /// Local. Spreads what lies in the buffer over the view.
  void unpack(const TensorView& elements) const {
    const std::byte* from = buffer_.data();
    const auto itemsize = static_cast<std::size_t>(element_size(elements.dtype));
    for_each_contiguous_run(elements, [&](std::byte* to, std::int64_t count) {
      std::memcpy(to, from, static_cast<std::size_t>(count) * itemsize);
      from += static_cast<std::size_t>(count) * itemsize;
    });
  }

 private:
  std::vector<std::byte> buffer_;
};

}  // namespace shardmark
