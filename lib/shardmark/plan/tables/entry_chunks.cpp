// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/entry_chunks.hpp"

#include <numeric>

namespace shardmark {

Box EntryChunks::box(std::uint32_t number) const noexcept {
  const std::int64_t* at = coordinates(number).data();
  Box box = whole_box(Dims::filled(ndim(), 0));
  std::copy_n(at, ndim_, box.offsets.begin());
  std::copy_n(at + ndim_, ndim_, box.sizes.begin());
  return box;
}

std::uint32_t EntryChunks::lower_bound(const std::int64_t* offsets) const noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = size_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const std::int64_t* at = coordinates(middle).data();
    if (std::lexicographical_compare(at, at + ndim_, offsets, offsets + ndim_)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::size_t EntryChunks::slot_of(const std::int64_t* offsets) const noexcept {
  std::uint64_t hash = 0x9E3779B97F4A7C15ULL;
  for (std::size_t d = 0; d < ndim_; ++d) {
    hash = (hash ^ static_cast<std::uint64_t>(offsets[d])) * 0xBF58476D1CE4E5B9ULL;
    hash ^= hash >> 29;
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = (hash ^ hash >> 32) & mask;
  while (slots_[slot] != 0 && !starts_at(slots_[slot] - 1, offsets)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

void EntryChunks::index(std::size_t num_slots) {
  slots_.assign(num_slots, 0);
  for (std::uint32_t number = 0; number < size_; ++number) {
    slots_[slot_of(coordinates(number).data())] = number + 1;
  }
}

std::uint32_t EntryChunks::search(const std::int64_t* coordinates) {
  if (slots_.empty()) {
    const std::uint32_t at = lower_bound(coordinates);
    if (at < size_ && starts_at(at, coordinates)) {
      next_ = at + 1;
      return at;
    }
  }
  if (2 * (std::size_t{size_} + 1) > slots_.size()) {
    std::size_t num_slots = 64;
    while (2 * (std::size_t{size_} + 1) > num_slots) {
      num_slots *= 2;
    }
    index(num_slots);
  }
  const std::size_t slot = slot_of(coordinates);
  if (slots_[slot] != 0) {
    next_ = slots_[slot];
    return next_ - 1;
  }
  slots_[slot] = size_ + 1;
  return append(coordinates);
}

std::vector<std::uint32_t> EntryChunks::order_of_offsets() const {
  std::vector<std::uint32_t> order;
  if (slots_.empty()) {
    return order;
  }
  order.resize(size_);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
    const std::int64_t* x = coordinates(a).data();
    const std::int64_t* y = coordinates(b).data();
    return std::lexicographical_compare(x, x + ndim_, y, y + ndim_);
  });
  return order;
}

}  // namespace shardmark
