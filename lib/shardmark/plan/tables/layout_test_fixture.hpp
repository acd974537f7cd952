// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shardmark/protocol/tensor_layout.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark::testing {

inline TensorLayout random_layout(RandomSource& random) {
  const auto mesh_ndim = static_cast<int>(1 + random.number(3));
  const auto ndim = static_cast<int>(random.number(4));
  const Dims shape = random.sizes(mesh_ndim, 1, 5);
  // Any order of mesh dimensions over ranks, and a stride that leaves ranks out.
  std::vector<int> order(shape.size());
  for (int i = 0; i < mesh_ndim; ++i) {
    order[static_cast<std::size_t>(i)] = i;
  }
  std::shuffle(order.begin(), order.end(), random.engine());
  Dims strides = shape;
  std::int64_t stride = 1 + random.number(2);
  for (const int d : order) {
    strides[d] = stride;
    stride *= shape[d] + random.number(2);
  }
  std::vector<Placement> placements;
  for (int m = 0; m < mesh_ndim; ++m) {
    const auto dim = ndim == 0 ? 0 : static_cast<std::int32_t>(random.number(2 * ndim) - ndim);
    const std::int64_t kind = ndim == 0 ? 0 : random.number(4);
    placements.push_back(kind == 0   ? Placement::replicate()
                         : kind == 3 ? Placement::strided_shard(dim, 1 + random.number(5))
                                     : Placement::shard(dim));
  }
  const DeviceMesh mesh = *DeviceMesh::strided(shape, strides, random.number(4));
  return *make_tensor_layout(random.sizes(ndim, 0, 20), Dtype::float32, mesh, placements);
}

}  // namespace shardmark::testing
