// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/box.hpp"

namespace shardmark {

/// The distinct boxes of one entry, numbered as they come, coordinates packed. Ranks mostly list
/// their boxes in the order of their offsets, or the same as the rank before: those are found
/// without a search. Once one comes out of order, a hash table finds all.
class EntryChunks {
 public:
  explicit EntryChunks(int ndim) : ndim_(static_cast<std::size_t>(ndim)) {}

  std::uint32_t size() const noexcept { return size_; }
  int ndim() const noexcept { return static_cast<int>(ndim_); }

  /// Local. The box that starts at `coordinates`, offsets and then sizes; added if it is new (then
  /// the result equals the size before). Another one's sizes may differ.
  std::uint32_t find_or_add(const std::int64_t* coordinates) {
    if (size_ > 0) {
      if (next_ < size_ && starts_at(next_, coordinates)) {
        return next_++;
      }
      if (next_ > 0 && starts_at(next_ - 1, coordinates)) {
        return next_ - 1;
      }
      if (!slots_.empty() || !last_is_below(coordinates)) {
        return search(coordinates);
      }
    }
    return append(coordinates);
  }

  /// Offsets, then sizes.
  std::span<const std::int64_t> coordinates(std::uint32_t number) const noexcept {
    return {coordinates_.data() + 2 * ndim_ * number, 2 * ndim_};
  }
  Box box(std::uint32_t number) const noexcept;

  /// Local. All numbers by their offsets ascending; empty if that is their own order.
  std::vector<std::uint32_t> order_of_offsets() const;
  /// Those of all, end to end, by number.
  std::span<const std::int64_t> all_coordinates() const noexcept { return coordinates_; }

 private:
  bool starts_at(std::uint32_t number, const std::int64_t* offsets) const noexcept {
    return std::equal(offsets, offsets + ndim_, coordinates_.data() + 2 * ndim_ * number);
  }
  bool last_is_below(const std::int64_t* offsets) const noexcept {
    const std::int64_t* last = coordinates_.data() + 2 * ndim_ * (size_ - 1);
    return std::lexicographical_compare(last, last + ndim_, offsets, offsets + ndim_);
  }
  std::uint32_t append(const std::int64_t* coordinates) {
    coordinates_.insert(coordinates_.end(), coordinates, coordinates + 2 * ndim_);
    next_ = size_ + 1;
    return size_++;
  }
  std::uint32_t search(const std::int64_t* coordinates);
  std::uint32_t lower_bound(const std::int64_t* offsets) const noexcept;
  std::size_t slot_of(const std::int64_t* offsets) const noexcept;
  void index(std::size_t num_slots);

  std::size_t ndim_;
  std::uint32_t size_ = 0;
  std::uint32_t next_ = 0;  // behind the one that was found last
  std::vector<std::int64_t> coordinates_;
  std::vector<std::uint32_t> slots_;  // number + 1, 0 for free; none while all came in order
};

}  // namespace shardmark
