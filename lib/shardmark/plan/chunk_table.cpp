// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/chunk_table.hpp"

namespace shardmark {

void ChunkTable::append(const Box& box) {
  starts_.push_back(coordinates_.size());
  coordinates_.insert(coordinates_.end(), box.offsets.begin(), box.offsets.end());
  coordinates_.insert(coordinates_.end(), box.sizes.begin(), box.sizes.end());
}

void ChunkTable::reserve(std::uint64_t num_chunks, std::uint64_t num_coordinates) {
  starts_.reserve(num_chunks);
  coordinates_.reserve(num_coordinates);
}

Box ChunkTable::box(std::uint64_t index, int ndim) const noexcept {
  const std::int64_t* at = coordinates_.data() + starts_[index];
  Box box = whole_box(Dims::filled(ndim, 0));
  std::copy_n(at, ndim, box.offsets.begin());
  std::copy_n(at + ndim, ndim, box.sizes.begin());
  return box;
}

void encode(const ChunkTable& chunks, const EntryTable& entries, ByteWriter& out) {
  for (const Entry& entry : entries.entries) {
    for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
      const Box box = chunks.box(entry.first_chunk + i, entry.sizes.ndim());
      out.dims(box.offsets);
      out.dims(box.sizes);
    }
  }
}

Result<ChunkTable> decode_chunk_table(ByteReader& in, const EntryTable& entries) {
  ChunkTable chunks;
  for (const Entry& entry : entries.entries) {
    const int ndim = entry.sizes.ndim();
    const Box whole = whole_box(entry.sizes);
    Dims previous;
    for (std::uint64_t i = 0; i < entry.num_chunks && in.ok(); ++i) {
      Box box;
      box.offsets = in.dims(ndim);
      box.sizes = in.dims(ndim);
      // Sizes are bounded first: then no sum below can overflow.
      for (int d = 0; d < ndim; ++d) {
        if (box.sizes[d] > entry.sizes[d] || box.offsets[d] > entry.sizes[d]) {
          in.fail("chunk outside its tensor");
        }
      }
      if (in.ok() && (box.empty() || !contains(whole, box))) {
        in.fail("chunk empty or outside its tensor");
      }
      if (in.ok() && i > 0 && !(previous < box.offsets)) {
        in.fail("chunks out of order");
      }
      previous = box.offsets;
      chunks.append(box);
    }
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("chunk table"));
  return chunks;
}

}  // namespace shardmark
