// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/plain_tensor.hpp"

#include "shardmark/tensor/find_box.hpp"

namespace shardmark {
namespace {

Status check_origin(const MetadataIndex& index, int ndim) {
  if (!index.offset) {
    return {};
  }
  return Status(find_box_at(index, 1, [&](std::size_t) { return Dims::filled(ndim, 0); }));
}

}  // namespace

std::vector<WriteItem> PlainTensor::create_write_items(std::string_view fqn) const {
  return {make_write_item(fqn, WriteItemType::tensor, whole_box(elements_.sizes), elements_.dtype,
                          elements_.sizes, 0)};
}

std::vector<ChunkStorageMetadata> PlainTensor::create_chunk_list() const {
  return {whole_box(elements_.sizes)};
}

Result<ConstTensorView> PlainTensor::get_tensor_shard(const MetadataIndex& index) const {
  SHARDMARK_RETURN_IF_ERROR(check_origin(index, elements_.ndim()));
  return ConstTensorView(elements_);
}

Result<TensorView> PlainTensor::get_tensor_shard(const MetadataIndex& index) {
  SHARDMARK_RETURN_IF_ERROR(check_origin(index, elements_.ndim()));
  return elements_;
}

}  // namespace shardmark
