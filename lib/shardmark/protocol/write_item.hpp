// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "shardmark/protocol/metadata.hpp"

namespace shardmark {

/// DCP's three kinds: a whole plain tensor, one box of a bigger tensor, opaque bytes.
enum class WriteItemType : std::uint8_t { tensor, shard, byte_io };

/// `size` is the global shape; `chunk` is the box that this item writes.
struct TensorWriteData {
  ChunkStorageMetadata chunk;
  TensorProperties properties;
  Dims size;
};

/// One thing that a rank could write, as a hook lists it: replicas included, nothing decided yet.
struct WriteItem {
  MetadataIndex index;
  WriteItemType type = WriteItemType::shard;
  TensorWriteData tensor_data;    // for tensor and shard
  std::int64_t byte_io_size = 0;  // for byte_io: number of bytes
};

/// Local. Bytes of the chunk itself. (DCP's tensor_storage_size counts the global tensor for every
/// shard.)
inline std::int64_t num_bytes(const WriteItem& item) noexcept {
  if (item.type == WriteItemType::byte_io) {
    return item.byte_io_size;
  }
  return item.tensor_data.chunk.num_elements() * element_size(item.tensor_data.properties.dtype);
}

/// Local. The item of one box of a tensor; `hint` is its position in the hook's list.
inline WriteItem make_write_item(std::string_view fqn, WriteItemType type, const Box& chunk,
                                 Dtype dtype, const Dims& global_sizes, std::int64_t hint) {
  return {{fqn, chunk.offsets, hint}, type, {chunk, {dtype}, global_sizes}, 0};
}

}  // namespace shardmark
