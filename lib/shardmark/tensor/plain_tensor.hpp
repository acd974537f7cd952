// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/protocol/content_mark.hpp"

namespace shardmark {

/// A whole tensor that every rank holds with the same values: DCP's fallback for a plain
/// torch.Tensor. A view: the elements must outlive it. It does not know the world, so it has no
/// layout().
class PlainTensor {
 public:
  explicit PlainTensor(const TensorView& elements) : elements_(elements) {}

  std::vector<WriteItem> create_write_items(std::string_view fqn) const;
  std::vector<ChunkStorageMetadata> create_chunk_list() const;
  /// A missing offset means the whole tensor. Errors: not_found for any corner but the origin.
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const;
  Result<TensorView> get_tensor_shard(const MetadataIndex& index);

  const ContentMark& content_mark() const noexcept { return mark_; }

 private:
  TensorView elements_;
  [[no_unique_address]] ContentMark mark_;
};

static_assert(Checkpointable<PlainTensor> && !HasLayout<PlainTensor>);

}  // namespace shardmark
