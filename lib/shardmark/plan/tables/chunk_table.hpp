// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// The stored boxes of every entry, by entry and then by offsets. An entry's boxes are either
/// listed, coordinates packed in one pool (16 bytes a dimension) so that millions of chunks stay
/// small, or follow from its layout, which takes no memory a chunk.
class ChunkTable {
 public:
  /// Local. The next chunk; entries ascending, offsets ascending inside one.
  void append(const Box& box);
  /// Local. The next chunks, all of `ndim` dimensions: offsets, then sizes, of one after another.
  void append(int ndim, std::uint64_t num_chunks, std::span<const std::int64_t> coordinates);
  /// Local. All chunks of the next entry.
  void append(std::shared_ptr<const ChunkGrid> grid);
  void reserve(std::size_t num_coordinates) { coordinates_.reserve(num_coordinates); }

  std::uint64_t size() const noexcept { return size_; }
  /// The box of chunk `index` (among all) of an entry of `ndim` dimensions.
  Box box(std::uint64_t index, int ndim) const noexcept;
  /// Those of an entry whose chunks are listed: offsets, then sizes, of one after another.
  std::span<const std::int64_t> coordinates_of(const Entry& entry) const noexcept;
  /// The arithmetic behind an entry's chunks, or null if they are listed.
  const ChunkGrid* grid_of(const Entry& entry) const noexcept;
  std::shared_ptr<const ChunkGrid> shared_grid_of(const Entry& entry) const noexcept;
  bool has_grids() const noexcept { return has_grids_; }

 private:
  /// Consecutive chunks of one kind: of one grid, or listed and of one number of dimensions.
  struct Segment {
    std::uint64_t first = 0;   // among all
    std::uint64_t start = 0;   // into coordinates_
    std::uint64_t stride = 0;  // coordinates of a chunk
    std::shared_ptr<const ChunkGrid> grid;
  };
  const Segment& segment_of(std::uint64_t index) const noexcept;

  std::vector<Segment> segments_;
  std::vector<std::int64_t> coordinates_;  // offsets, then sizes, of one chunk after another
  std::uint64_t size_ = 0;
  bool has_grids_ = false;
};

/// Local. A kind, 0 where every chunk is listed: offsets and sizes, at most 9 bytes a coordinate, 1
/// to 5 for extents below 2^35. Kind 1 begins with the distinct layouts and says for each entry
/// which is its own, or that its chunks are listed.
void encode(const ChunkTable& chunks, const EntryTable& entries, ByteWriter& out);
/// Local. Errors: data_loss for chunks out of order, empty or out of their tensor's bounds, and for
/// layouts that do not fit their entry.
Result<ChunkTable> decode_chunk_table(ByteReader& in, const EntryTable& entries);

/// Local. Mesh and placements of a layout; sizes and dtype stand with its entry.
void encode_layout(const TensorLayout& layout, ByteWriter& out);
/// Local. Fails `in` for what cannot be a layout of a tensor of `sizes`.
TensorLayout decode_layout(ByteReader& in);

}  // namespace shardmark
