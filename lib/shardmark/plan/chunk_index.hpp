// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/core/box.hpp"

namespace shardmark {

/// The distinct chunks heard of so far, found by (entry, offsets) in constant time. Coordinates are
/// packed in one pool; the hash table holds chunk numbers only.
class ChunkIndex {
 public:
  ChunkIndex();

  std::size_t size() const noexcept { return chunks_.size(); }
  std::size_t num_coordinates() const noexcept { return coordinates_.size(); }

  /// Local. The chunk of `entry` that starts at the box's corner; added with the box's sizes if it
  /// is new (then the result equals the size before).
  std::uint32_t find_or_add(std::uint32_t entry, const Box& box);
  /// Local. True if `chunk` is the one of `entry` at `offsets`.
  bool is_at(std::uint32_t chunk, std::uint32_t entry, const Dims& offsets) const noexcept;
  Box box(std::uint32_t chunk) const noexcept;
  std::uint32_t entry_of(std::uint32_t chunk) const noexcept { return chunks_[chunk].entry; }

  /// Local. Chunk numbers by entry, in order of arrival.
  std::vector<std::vector<std::uint32_t>> by_entry(std::size_t num_entries) const;
  /// Local. Sorts chunks of one entry by their offsets.
  void sort_by_offsets(std::vector<std::uint32_t>& chunks) const;

 private:
  struct Chunk {
    std::uint64_t start;  // into coordinates_: offsets, then sizes
    std::uint32_t entry;
    std::int32_t ndim;
  };
  static std::uint64_t hash(std::uint32_t entry, const std::int64_t* offsets, int ndim) noexcept;
  void grow();

  std::vector<Chunk> chunks_;
  std::vector<std::int64_t> coordinates_;
  std::vector<std::uint32_t> slots_;  // chunk number + 1, 0 for free; size a power of two
};

}  // namespace shardmark
