// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/grouped_experts.hpp"

#include <fmt/format.h>

#include "shardmark/tensor/flat_shard.hpp"

namespace shardmark {
namespace {

/// The mesh dimension that deals out the experts.
Result<int> expert_mesh_dim(const TensorLayout& layout) {
  int found = -1;
  for (int m = 0; m < layout.mesh.ndim(); ++m) {
    const Placement& placement = layout.placements()[static_cast<std::size_t>(m)];
    const bool cuts =
        placement.kind == PlacementKind::shard || placement.kind == PlacementKind::strided_shard;
    if (!cuts || (placement.dim != 0 && placement.dim != -layout.global_sizes.ndim())) {
      continue;
    }
    if (found != -1 || placement.kind != PlacementKind::shard) {
      found = -1;
      break;
    }
    found = m;
  }
  if (found == -1 || layout.global_sizes.ndim() < 2) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("experts {}: expected [E, ...] with dimension 0 cut by one S(0)",
                             to_string(layout.global_sizes))};
  }
  return found;
}

FlatRange experts_at(const TensorLayout& stacked, int mesh_dim, std::int64_t coordinate) {
  return flat_part(stacked.global_sizes[0], stacked.mesh.shape()[mesh_dim], coordinate);
}

}  // namespace

Result<GroupedExperts> GroupedExperts::from_local(const TensorView& local,
                                                  const TensorLayout& layout, std::int64_t rank) {
  SHARDMARK_RETURN_IF_ERROR(Status(expert_mesh_dim(layout)));
  SHARDMARK_ASSIGN_OR_RETURN(DTensor stacked, DTensor::from_local(local, layout, rank));
  return GroupedExperts(local, std::move(stacked), rank);
}

Result<TensorLayout> GroupedExperts::expert_layout(const TensorLayout& stacked,
                                                   std::int64_t number) {
  SHARDMARK_ASSIGN_OR_RETURN(const int mesh_dim, expert_mesh_dim(stacked));
  if (number < 0 || number >= stacked.global_sizes[0]) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("expert {} of {}", number, to_string(stacked.global_sizes))};
  }
  const int ndim = stacked.global_sizes.ndim();
  const std::int64_t per_rank = experts_at(stacked, mesh_dim, 0).size();
  // The mesh without the experts' dimension, shifted to the ranks that hold this expert.
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  std::vector<Placement> placements;
  for (int m = 0; m < stacked.mesh.ndim(); ++m) {
    if (m == mesh_dim) {
      continue;
    }
    shape.push_back(stacked.mesh.shape()[m]);
    strides.push_back(stacked.mesh.strides()[m]);
    Placement placement = stacked.placements()[static_cast<std::size_t>(m)];
    if (placement.kind != PlacementKind::replicate && placement.dim > 0) {
      --placement.dim;
    }
    placements.push_back(placement);
  }
  if (shape.empty()) {
    shape = {1};
    strides = {1};
    placements = {Placement::replicate()};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const Dims mesh_shape, Dims::from(shape));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims mesh_strides, Dims::from(strides));
  const std::int64_t first =
      stacked.mesh.first_rank() + number / per_rank * stacked.mesh.strides()[mesh_dim];
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh,
                             DeviceMesh::strided(mesh_shape, mesh_strides, first));
  Dims sizes = Dims::filled(ndim - 1, 0);
  std::copy(stacked.global_sizes.begin() + 1, stacked.global_sizes.end(), sizes.begin());
  return make_tensor_layout(sizes, stacked.dtype, mesh, placements);
}

Result<DTensor> GroupedExperts::expert(std::int64_t number) const {
  const TensorLayout& stacked = stacked_.layout();
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout, expert_layout(stacked, number));
  SHARDMARK_ASSIGN_OR_RETURN(const int mesh_dim, expert_mesh_dim(stacked));
  TensorView view = local_;
  view.sizes = view.strides = Dims::filled(local_.ndim() - 1, 0);
  std::copy(local_.strides.begin() + 1, local_.strides.end(), view.strides.begin());
  if (!layout.mesh.coordinate(rank_)) {
    return DTensor::from_local(view, layout, rank_);
  }
  std::copy(local_.sizes.begin() + 1, local_.sizes.end(), view.sizes.begin());
  const auto coordinate = stacked.mesh.coordinate(rank_);
  const std::int64_t first = experts_at(stacked, mesh_dim, (*coordinate)[mesh_dim]).begin;
  if (view.data != nullptr) {
    view.data += (number - first) * local_.strides[0] * element_size(local_.dtype);
  }
  return DTensor::from_local(view, layout, rank_);
}

}  // namespace shardmark
