// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/protocol/content_mark.hpp"
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
  const ContentMark& content_mark() const noexcept { return mark_; }

  /// Local. Becomes `rank`'s part of the same tensor, as from_local() with null data would make it.
  /// Keeps its memory, so planning can play many ranks with one object.
  /// Errors: invalid_argument if this tensor has elements: they are one rank's.
  Status move_to_rank(std::int64_t rank);

  /// Local. Bytes of this rank's part; none outside the mesh, of a 0-d tensor either.
  std::int64_t local_num_bytes() const noexcept {
    return shard_.boxes.empty() && !partial_ ? 0 : local_.num_bytes();
  }

 private:
  DTensor(const TensorView& local, const TensorLayout& layout) : local_(local), layout_(layout) {}

  Status refuse_partial() const;
  Result<const LocalBox*> find_box(const MetadataIndex& index) const;

  TensorView local_;
  TensorLayout layout_;
  bool partial_ = false;
  LocalShard shard_;  // no boxes outside the mesh
  [[no_unique_address]] ContentMark mark_;
};

static_assert(HasLayout<DTensor>);

}  // namespace shardmark
