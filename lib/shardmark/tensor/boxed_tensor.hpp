// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/protocol/content_mark.hpp"

namespace shardmark {

/// One box of a global tensor, and where its elements lie in this rank's memory: any strides.
struct HeldBox {
  Box box;
  TensorView elements;  // sizes are the box's
};

/// One rank's part of a tensor as a list of boxes, each with a view of its own: what most sharded
/// types come down to. The types derive from it to share the hooks; they add only how the boxes
/// come about. A view: the elements must outlive it and are never copied.
///
/// Boxes are listed in row-major order of their offsets; a rank without elements lists nothing. Of
/// a tensor without elements every rank lists the whole, or no checkpoint would know of it.
class BoxedTensor {
 public:
  std::vector<WriteItem> create_write_items(std::string_view fqn) const;
  std::vector<ChunkStorageMetadata> create_chunk_list() const;
  /// The hint is probed first, then a binary search. Errors: invalid_argument without an offset,
  /// not_found for an unknown one.
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const;
  Result<TensorView> get_tensor_shard(const MetadataIndex& index);

  const Dims& global_sizes() const noexcept { return global_sizes_; }
  Dtype dtype() const noexcept { return dtype_; }
  /// Local. Bytes of this rank's boxes.
  std::int64_t local_num_bytes() const noexcept;
  const ContentMark& content_mark() const noexcept { return mark_; }

 protected:
  /// Empty boxes of a tensor that has elements are dropped. No two of the others may share a
  /// corner.
  BoxedTensor(const Dims& global_sizes, Dtype dtype, std::vector<HeldBox> boxes);

 private:
  Result<std::size_t> find(const MetadataIndex& index) const;

  Dims global_sizes_;
  Dtype dtype_;
  std::vector<HeldBox> boxes_;
  [[no_unique_address]] ContentMark mark_;
};

static_assert(Checkpointable<BoxedTensor> && !HasLayout<BoxedTensor>);

}  // namespace shardmark
