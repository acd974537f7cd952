// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/protocol/state_dict.hpp"

namespace shardmark::testing {

/// A Checkpointable that holds whatever boxes a test says, right or wrong, and no elements.
struct BoxTensor {
  Dims global_sizes;
  Dtype dtype = Dtype::float32;
  std::vector<Box> boxes;

  std::vector<WriteItem> create_write_items(std::string_view fqn) const {
    std::vector<WriteItem> items;
    for (const Box& box : boxes) {
      items.push_back(make_write_item(fqn, WriteItemType::shard, box, dtype, global_sizes,
                                      static_cast<std::int64_t>(items.size())));
    }
    return items;
  }
  std::vector<ChunkStorageMetadata> create_chunk_list() const { return boxes; }
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const {
    return contiguous_view<const std::byte>(nullptr, dtype, sizes_at(index));
  }
  Result<TensorView> get_tensor_shard(const MetadataIndex& index) {
    return contiguous_view<std::byte>(nullptr, dtype, sizes_at(index));
  }

 private:
  Dims sizes_at(const MetadataIndex& index) const {
    for (const Box& box : boxes) {
      if (box.offsets == index.offset) {
        return box.sizes;
      }
    }
    return {};
  }
};
static_assert(Checkpointable<BoxTensor>);

/// A StateDict of BoxTensors and objects that owns what it refers to.
class BoxState {
 public:
  BoxState& add(const std::string& fqn, BoxTensor tensor) {
    tensors_.push_back(std::move(tensor));
    EXPECT_TRUE(state.add(fqn, tensors_.back()));
    return *this;
  }
  BoxState& add_object(const std::string& fqn, std::size_t num_bytes) {
    objects_.emplace_back(num_bytes);
    EXPECT_TRUE(state.add_object(fqn, std::span(objects_.back())));
    return *this;
  }

  StateDict state;

 private:
  std::deque<BoxTensor> tensors_;
  std::deque<std::vector<std::byte>> objects_;
};

}  // namespace shardmark::testing
