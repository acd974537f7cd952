// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/protocol/content_mark.hpp"
#include "shardmark/tensor/dtensor.hpp"

namespace shardmark {

/// One weight of all experts of a mixture-of-experts layer, [E, ...]: the local buffer holds the
/// rank's experts one after another, as a grouped matrix product wants them. Saved either stacked,
/// as the one tensor [E, ...] that this type is, or expert by expert, as the tensors [...] that
/// expert() gives: views into the same buffer. The layout cuts dimension 0 over exactly one mesh
/// dimension (expert parallelism) by S(0); the others may cut the experts themselves.
/// Source: torchtitan's GroupedExperts; Megatron's GroupedMLP.
class GroupedExperts {
 public:
  /// Local. `local` and `layout` are those of the stacked tensor, as for DTensor::from_local().
  /// Errors: its errors; invalid_argument unless the tensor has 2 or more dimensions and dimension
  /// 0 is cut by one S(0).
  static Result<GroupedExperts> from_local(const TensorView& local, const TensorLayout& layout,
                                           std::int64_t rank);

  /// The stacked tensor.
  Result<std::vector<WriteItem>> create_write_items(std::string_view fqn) const {
    return stacked_.create_write_items(fqn);
  }
  Result<std::vector<ChunkStorageMetadata>> create_chunk_list() const {
    return stacked_.create_chunk_list();
  }
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const {
    return stacked_.get_tensor_shard(index);
  }
  Result<TensorView> get_tensor_shard(const MetadataIndex& index) {
    return stacked_.get_tensor_shard(index);
  }
  const TensorLayout& layout() const noexcept { return stacked_.layout(); }
  const ContentMark& content_mark() const noexcept { return stacked_.content_mark(); }

  /// Local. One expert's own tensor. Its mesh is the slice of the ranks that hold the expert; a
  /// rank outside it has no boxes. Errors: invalid_argument for an expert outside 0 to E - 1.
  Result<DTensor> expert(std::int64_t number) const;

  /// Local. The layout of expert() alone, for planning: `stacked` as for from_local().
  static Result<TensorLayout> expert_layout(const TensorLayout& stacked, std::int64_t number);

 private:
  GroupedExperts(const TensorView& local, DTensor stacked, std::int64_t rank)
      : local_(local), stacked_(std::move(stacked)), rank_(rank) {}

  TensorView local_;
  DTensor stacked_;
  std::int64_t rank_;
};

static_assert(HasLayout<GroupedExperts>);

}  // namespace shardmark
