// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/tensor_layout.hpp"

namespace shardmark {

Result<TensorLayout> make_tensor_layout(const Dims& global_sizes, Dtype dtype,
                                        const DeviceMesh& mesh,
                                        std::span<const Placement> placements) {
  std::array<Placement, max_ndim> without_partial{};
  std::transform(placements.begin(),
                 placements.begin() + std::min<std::ptrdiff_t>(
                                          max_ndim, static_cast<std::ptrdiff_t>(placements.size())),
                 without_partial.begin(), [](const Placement& p) {
                   return p.kind == PlacementKind::partial ? Placement::replicate() : p;
                 });
  SHARDMARK_RETURN_IF_ERROR(check_placements(
      global_sizes, mesh.shape(),
      {without_partial.data(), std::min<std::size_t>(max_ndim, placements.size())}));
  TensorLayout layout{.global_sizes = global_sizes, .dtype = dtype, .mesh = mesh};
  std::copy(placements.begin(), placements.end(), layout.placement_storage.begin());
  return layout;
}

}  // namespace shardmark
