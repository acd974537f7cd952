// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/chunk_index.hpp"

#include <algorithm>

namespace shardmark {

ChunkIndex::ChunkIndex() : slots_(1024, 0) {}

std::uint64_t ChunkIndex::hash(std::uint32_t entry, const std::int64_t* offsets,
                               int ndim) noexcept {
  std::uint64_t h = (entry + 1ULL) * 0x9E3779B97F4A7C15ULL;
  for (int d = 0; d < ndim; ++d) {
    h = (h ^ static_cast<std::uint64_t>(offsets[d])) * 0xBF58476D1CE4E5B9ULL;
    h ^= h >> 29;
  }
  return h ^ (h >> 32);
}

bool ChunkIndex::is_at(std::uint32_t chunk, std::uint32_t entry,
                       const Dims& offsets) const noexcept {
  const Chunk& known = chunks_[chunk];
  return known.entry == entry && known.ndim == offsets.ndim() &&
         std::equal(offsets.begin(), offsets.end(), coordinates_.data() + known.start);
}

std::uint32_t ChunkIndex::find_or_add(std::uint32_t entry, const Box& box) {
  if (2 * (chunks_.size() + 1) > slots_.size()) {
    grow();
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash(entry, box.offsets.data(), box.ndim()) & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (is_at(slots_[slot] - 1, entry, box.offsets)) {
      return slots_[slot] - 1;
    }
  }
  const auto number = static_cast<std::uint32_t>(chunks_.size());
  chunks_.push_back({coordinates_.size(), entry, box.ndim()});
  coordinates_.insert(coordinates_.end(), box.offsets.begin(), box.offsets.end());
  coordinates_.insert(coordinates_.end(), box.sizes.begin(), box.sizes.end());
  slots_[slot] = number + 1;
  return number;
}

void ChunkIndex::grow() {
  std::vector<std::uint32_t> slots(slots_.size() * 2, 0);
  const std::size_t mask = slots.size() - 1;
  for (std::uint32_t number = 0; number < chunks_.size(); ++number) {
    const Chunk& chunk = chunks_[number];
    std::size_t slot = hash(chunk.entry, coordinates_.data() + chunk.start, chunk.ndim) & mask;
    while (slots[slot] != 0) {
      slot = (slot + 1) & mask;
    }
    slots[slot] = number + 1;
  }
  slots_ = std::move(slots);
}

Box ChunkIndex::box(std::uint32_t chunk) const noexcept {
  const Chunk& known = chunks_[chunk];
  const std::int64_t* at = coordinates_.data() + known.start;
  Box box = whole_box(Dims::filled(known.ndim, 0));
  std::copy_n(at, known.ndim, box.offsets.begin());
  std::copy_n(at + known.ndim, known.ndim, box.sizes.begin());
  return box;
}

std::vector<std::vector<std::uint32_t>> ChunkIndex::by_entry(std::size_t num_entries) const {
  std::vector<std::vector<std::uint32_t>> lists(num_entries);
  for (std::uint32_t number = 0; number < chunks_.size(); ++number) {
    lists[chunks_[number].entry].push_back(number);
  }
  return lists;
}

void ChunkIndex::sort_by_offsets(std::vector<std::uint32_t>& chunks) const {
  const auto before = [this](std::uint32_t a, std::uint32_t b) {
    const std::int64_t* x = coordinates_.data() + chunks_[a].start;
    const std::int64_t* y = coordinates_.data() + chunks_[b].start;
    return std::lexicographical_compare(x, x + chunks_[a].ndim, y, y + chunks_[b].ndim);
  };
  // Ranks usually arrive in the order of their offsets.
  if (!std::is_sorted(chunks.begin(), chunks.end(), before)) {
    std::sort(chunks.begin(), chunks.end(), before);
  }
}

}  // namespace shardmark
