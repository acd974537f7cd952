// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/protocol/tensor_layout.hpp"

namespace shardmark {

/// One rank's part of a global tensor laid over a DeviceMesh, with one Placement per mesh
/// dimension. A view: the elements must outlive it and are never copied.
///
/// Uneven splits follow torch.chunk: parts of ceil(n / m), the last ones short or empty; an empty
/// part's offset is the extent. A strided placement may leave several boxes. A rank outside the
/// mesh has none. Source: torch.distributed.tensor.DTensor and DCP's index rule.
class DTensor {
 public:
  /// Local. `local` holds this rank's elements, in any strides; its sizes must be those that
  /// local_sizes() gives. `data` may be null to plan without memory. Errors: invalid_argument if
  /// the sizes or the dtype differ from what the layout implies.
  static Result<DTensor> from_local(const TensorView& local, const TensorLayout& layout,
                                    std::int64_t rank);

  /// Local. Extents of the local tensor that `layout` gives `rank`; all zero outside the mesh.
  static Result<Dims> local_sizes(const TensorLayout& layout, std::int64_t rank);

  /// Local. Errors, for all three hooks: invalid_argument for a Partial placement.
  Result<std::vector<WriteItem>> create_write_items(std::string_view fqn) const;
  Result<std::vector<ChunkStorageMetadata>> create_chunk_list() const;
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const;
  Result<TensorView> get_tensor_shard(const MetadataIndex& index);

  const TensorLayout& layout() const noexcept { return layout_; }

 private:
  DTensor(const TensorView& local, const TensorLayout& layout) : local_(local), layout_(layout) {}

  Status refuse_partial() const;
  Result<const LocalBox*> find_box(const MetadataIndex& index) const;

  TensorView local_;
  TensorLayout layout_;
  bool partial_ = false;
  std::vector<LocalBox> boxes_;
};

static_assert(HasLayout<DTensor>);

}  // namespace shardmark
