// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/dtype.hpp"
#include "shardmark/protocol/device_mesh.hpp"
#include "shardmark/protocol/placement.hpp"
#include "shardmark/protocol/shard_rule.hpp"

namespace shardmark {

/// A tensor's whole distribution in a few words, the same on every rank: what the optional fourth
/// hook hands out. From it alone any rank's boxes follow by arithmetic.
struct TensorLayout {
  Dims global_sizes;
  Dtype dtype = Dtype::float32;
  DeviceMesh mesh;
  std::array<Placement, max_ndim> placement_storage{};

  std::span<const Placement> placements() const noexcept {
    return {placement_storage.data(), static_cast<std::size_t>(mesh.ndim())};
  }

  friend bool operator==(const TensorLayout& a, const TensorLayout& b) noexcept {
    return a.global_sizes == b.global_sizes && a.dtype == b.dtype && a.mesh == b.mesh &&
           std::equal(a.placements().begin(), a.placements().end(), b.placements().begin(),
                      b.placements().end());
  }
};

/// Local. Errors: invalid_argument if there is not one placement per mesh dimension, or a shard
/// dimension is outside the tensor. Partial is accepted here: the hooks refuse it.
Result<TensorLayout> make_tensor_layout(const Dims& global_sizes, Dtype dtype,
                                        const DeviceMesh& mesh,
                                        std::span<const Placement> placements);

}  // namespace shardmark
