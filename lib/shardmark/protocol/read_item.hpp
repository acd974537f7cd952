// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/protocol/metadata.hpp"

namespace shardmark {

enum class LoadItemType : std::uint8_t { tensor, byte_io };

/// One piece to copy from a saved chunk into a local box: DCP's view of a planned read. All shapes
/// have the tensor's ndim.
struct ReadItem {
  LoadItemType type = LoadItemType::tensor;
  MetadataIndex dest_index;     // the local box; hint: its place in create_chunk_list()
  Dims dest_offsets;            // inside that box
  MetadataIndex storage_index;  // the saved chunk; hint: its place in the saved chunk table
  Dims storage_offsets;         // inside that chunk
  Dims lengths;
};

}  // namespace shardmark
