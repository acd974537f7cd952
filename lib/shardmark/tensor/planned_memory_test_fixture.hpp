// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "shardmark/core/tensor_view.hpp"

namespace shardmark::testing {

/// Memory of a tensor that is planned for: sizes and dtype, no elements.
inline TensorView planned(const Dims& sizes, Dtype dtype = Dtype::float32) {
  return contiguous_view<std::byte>(nullptr, dtype, sizes);
}

}  // namespace shardmark::testing
