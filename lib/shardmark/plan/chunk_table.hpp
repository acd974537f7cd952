// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/plan/byte_codec.hpp"
#include "shardmark/plan/entry_table.hpp"

namespace shardmark {

/// The stored boxes of every entry, by entry and then by offsets. Coordinates stand packed in one
/// pool (16 bytes a dimension), so that millions of chunks stay small.
class ChunkTable {
 public:
  /// Local. The next chunk; entries ascending, offsets ascending inside one.
  void append(const Box& box);
  void reserve(std::uint64_t num_chunks, std::uint64_t num_coordinates);

  std::uint64_t size() const noexcept { return starts_.size(); }
  /// The box of chunk `index` of an entry of `ndim` dimensions.
  Box box(std::uint64_t index, int ndim) const noexcept;

 private:
  std::vector<std::uint64_t> starts_;      // into coordinates_
  std::vector<std::int64_t> coordinates_;  // offsets, then sizes, of one chunk after another
};

/// Local. At most 9 bytes a coordinate, 1 to 5 for extents below 2^35.
void encode(const ChunkTable& chunks, const EntryTable& entries, ByteWriter& out);
/// Local. Errors: data_loss for chunks out of order, empty or out of their tensor's bounds.
Result<ChunkTable> decode_chunk_table(ByteReader& in, const EntryTable& entries);

}  // namespace shardmark
