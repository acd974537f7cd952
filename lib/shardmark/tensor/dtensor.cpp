// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/dtensor.hpp"

#include <fmt/format.h>

#include "shardmark/tensor/find_box.hpp"

namespace shardmark {
namespace {

bool has_partial(const TensorLayout& layout) {
  return std::any_of(layout.placements().begin(), layout.placements().end(),
                     [](const Placement& p) { return p.kind == PlacementKind::partial; });
}

}  // namespace

Result<Dims> DTensor::local_sizes(const TensorLayout& layout, std::int64_t rank) {
  const auto coordinate = layout.mesh.coordinate(rank);
  if (!coordinate) {
    return Dims::filled(layout.global_sizes.ndim(), 0);
  }
  // Every rank holds a summand of each element; only the hooks refuse it.
  if (has_partial(layout)) {
    return layout.global_sizes;
  }
  SHARDMARK_ASSIGN_OR_RETURN(const LocalShard shard,
                             compute_local_shard(layout.global_sizes, layout.mesh.shape(),
                                                 *coordinate, layout.placements()));
  return shard.local_sizes;
}

Result<DTensor> DTensor::from_local(const TensorView& local, const TensorLayout& layout,
                                    std::int64_t rank) {
  DTensor tensor(local, layout);
  tensor.partial_ = has_partial(layout);
  const auto coordinate = layout.mesh.coordinate(rank);
  if (tensor.partial_ || !coordinate) {
    return tensor;
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      LocalShard shard, compute_local_shard(layout.global_sizes, layout.mesh.shape(), *coordinate,
                                            layout.placements()));
  if (local.sizes != shard.local_sizes || local.dtype != layout.dtype) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("local tensor is {} {}, the layout gives rank {} {} {}",
                             dtype_name(local.dtype), to_string(local.sizes), rank,
                             dtype_name(layout.dtype), to_string(shard.local_sizes))};
  }
  tensor.shard_ = std::move(shard);
  return tensor;
}

Status DTensor::move_to_rank(std::int64_t rank) {
  if (local_.data != nullptr) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("a tensor with elements cannot move to rank {}", rank)};
  }
  // Cached plans may know this object by its address.
  ContentMark::announce();
  const auto coordinate = layout_.mesh.coordinate(rank);
  if (!coordinate || partial_) {
    local_.sizes = coordinate ? layout_.global_sizes : Dims::filled(layout_.global_sizes.ndim(), 0);
    shard_.boxes.clear();
  } else {
    // Its memory is kept: virtual worlds move every tensor once a rank.
    recompute_local_shard(layout_.global_sizes, layout_.mesh.shape(), *coordinate,
                          layout_.placements(), shard_);
    local_.sizes = shard_.local_sizes;
  }
  local_.strides = row_major_strides(local_.sizes);
  return {};
}

Status DTensor::refuse_partial() const {
  if (partial_) {
    return Error{ErrorCode::invalid_argument,
                 "partial placement cannot be checkpointed: no rank holds the values"};
  }
  return {};
}

Result<std::vector<WriteItem>> DTensor::create_write_items(std::string_view fqn) const {
  SHARDMARK_RETURN_IF_ERROR(refuse_partial());
  std::vector<WriteItem> items;
  items.reserve(shard_.boxes.size());
  for (const LocalBox& part : shard_.boxes) {
    items.push_back(make_write_item(fqn, WriteItemType::shard, part.box, layout_.dtype,
                                    layout_.global_sizes, static_cast<std::int64_t>(items.size())));
  }
  return items;
}

Result<std::vector<ChunkStorageMetadata>> DTensor::create_chunk_list() const {
  SHARDMARK_RETURN_IF_ERROR(refuse_partial());
  std::vector<ChunkStorageMetadata> chunks;
  chunks.reserve(shard_.boxes.size());
  for (const LocalBox& part : shard_.boxes) {
    chunks.push_back(part.box);
  }
  return chunks;
}

Result<const LocalBox*> DTensor::find_box(const MetadataIndex& index) const {
  SHARDMARK_RETURN_IF_ERROR(refuse_partial());
  SHARDMARK_ASSIGN_OR_RETURN(
      const std::size_t found,
      find_box_at(index, shard_.boxes.size(),
                  [this](std::size_t i) -> const Dims& { return shard_.boxes[i].box.offsets; }));
  return &shard_.boxes[found];
}

Result<ConstTensorView> DTensor::get_tensor_shard(const MetadataIndex& index) const {
  SHARDMARK_ASSIGN_OR_RETURN(const LocalBox* part, find_box(index));
  return ConstTensorView(local_.subview({part->local_offsets, part->box.sizes}));
}

Result<TensorView> DTensor::get_tensor_shard(const MetadataIndex& index) {
  SHARDMARK_ASSIGN_OR_RETURN(const LocalBox* part, find_box(index));
  return local_.subview({part->local_offsets, part->box.sizes});
}

}  // namespace shardmark
