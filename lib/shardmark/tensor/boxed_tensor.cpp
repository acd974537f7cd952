// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/boxed_tensor.hpp"

#include <algorithm>

#include "shardmark/tensor/find_box.hpp"

namespace shardmark {

BoxedTensor::BoxedTensor(const Dims& global_sizes, Dtype dtype, std::vector<HeldBox> boxes)
    : global_sizes_(global_sizes), dtype_(dtype), boxes_(std::move(boxes)) {
  std::erase_if(boxes_, [](const HeldBox& held) { return held.box.empty(); });
  if (whole_box(global_sizes).empty()) {
    boxes_ = {{whole_box(global_sizes), contiguous_view<std::byte>(nullptr, dtype, global_sizes)}};
  }
  std::sort(boxes_.begin(), boxes_.end(),
            [](const HeldBox& a, const HeldBox& b) { return a.box.offsets < b.box.offsets; });
}

std::int64_t BoxedTensor::local_num_bytes() const noexcept {
  std::int64_t bytes = 0;
  for (const HeldBox& held : boxes_) {
    bytes += held.elements.num_bytes();
  }
  return bytes;
}

std::vector<WriteItem> BoxedTensor::create_write_items(std::string_view fqn) const {
  std::vector<WriteItem> items;
  items.reserve(boxes_.size());
  for (const HeldBox& held : boxes_) {
    items.push_back(make_write_item(fqn, WriteItemType::shard, held.box, dtype_, global_sizes_,
                                    static_cast<std::int64_t>(items.size())));
  }
  return items;
}

std::vector<ChunkStorageMetadata> BoxedTensor::create_chunk_list() const {
  std::vector<ChunkStorageMetadata> chunks;
  chunks.reserve(boxes_.size());
  for (const HeldBox& held : boxes_) {
    chunks.push_back(held.box);
  }
  return chunks;
}

Result<std::size_t> BoxedTensor::find(const MetadataIndex& index) const {
  return find_box_at(index, boxes_.size(),
                     [this](std::size_t i) -> const Dims& { return boxes_[i].box.offsets; });
}

Result<ConstTensorView> BoxedTensor::get_tensor_shard(const MetadataIndex& index) const {
  SHARDMARK_ASSIGN_OR_RETURN(const std::size_t found, find(index));
  return ConstTensorView(boxes_[found].elements);
}

Result<TensorView> BoxedTensor::get_tensor_shard(const MetadataIndex& index) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::size_t found, find(index));
  return boxes_[found].elements;
}

}  // namespace shardmark
