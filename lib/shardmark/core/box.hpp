// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "shardmark/core/dims.hpp"

namespace shardmark {

/// A box of a tensor: the elements from `offsets` on, `sizes` of them in each dimension.
struct Box {
  Dims offsets;
  Dims sizes;

  friend constexpr bool operator==(const Box&, const Box&) = default;
  friend constexpr auto operator<=>(const Box&, const Box&) = default;

  constexpr int ndim() const noexcept { return sizes.ndim(); }
  /// True if no element lies in it. A 0-d box holds one element.
  constexpr bool empty() const noexcept {
    return std::any_of(sizes.begin(), sizes.end(), [](std::int64_t s) { return s == 0; });
  }
  constexpr std::int64_t num_elements() const noexcept { return volume(sizes); }
};

/// Local. The box of a whole tensor.
constexpr Box whole_box(const Dims& sizes) noexcept {
  return {Dims::filled(sizes.ndim(), 0), sizes};
}

/// Local. The common elements, if there are any; 0-d boxes always meet. Equal ndim expected.
constexpr std::optional<Box> intersect(const Box& a, const Box& b) noexcept {
  Box common = a;
  for (int d = 0; d < a.ndim(); ++d) {
    const std::int64_t low = std::max(a.offsets[d], b.offsets[d]);
    const std::int64_t high = std::min(a.offsets[d] + a.sizes[d], b.offsets[d] + b.sizes[d]);
    if (high <= low) {
      return std::nullopt;
    }
    common.offsets[d] = low;
    common.sizes[d] = high - low;
  }
  return common;
}

/// Local. True if every element of `inner` lies in `outer`.
constexpr bool contains(const Box& outer, const Box& inner) noexcept {
  for (int d = 0; d < outer.ndim(); ++d) {
    if (inner.offsets[d] < outer.offsets[d] ||
        inner.offsets[d] + inner.sizes[d] > outer.offsets[d] + outer.sizes[d]) {
      return false;
    }
  }
  return outer.ndim() == inner.ndim();
}

/// Local. The same box with offsets counted from `origin`.
constexpr Box relative_to(const Box& box, const Dims& origin) noexcept {
  Box moved = box;
  for (int d = 0; d < box.ndim(); ++d) {
    moved.offsets[d] -= origin[d];
  }
  return moved;
}

/// Local. "[0, 4]+[2, 4]": offsets, then sizes.
std::string to_string(const Box& box);

/// Local. Cuts a box into slabs of at most `max_elements` (at least 1), in row-major order; calls
/// `take(slab)` for each. The first dimension whose single slices fit is the one that is cut.
template <typename Take>
void for_each_slab(const Box& box, std::int64_t max_elements, const Take& take) {
  if (box.empty()) {
    return;
  }
  if (box.num_elements() <= max_elements || box.ndim() == 0) {
    take(box);
    return;
  }
  int d = 0;  // the outermost dimension with more than one slice
  while (box.sizes[d] == 1) {
    ++d;
  }
  const std::int64_t slice = box.num_elements() / box.sizes[d];
  const std::int64_t step = std::max<std::int64_t>(1, max_elements / slice);
  for (std::int64_t done = 0; done < box.sizes[d]; done += step) {
    Box slab = box;
    slab.offsets[d] += done;
    slab.sizes[d] = std::min(step, box.sizes[d] - done);
    for_each_slab(slab, max_elements, take);
  }
}

/// Local. Calls `take(element_offset, count)` for every run of consecutive elements of `box` in the
/// row-major order of a tensor of `sizes`, ascending. Neighbouring rows are merged where they
/// touch.
template <typename Take>
void for_each_run(const Box& box, const Dims& sizes, const Take& take) {
  if (box.empty()) {
    return;
  }
  const Dims strides = row_major_strides(sizes);
  // Trailing dimensions that the box spans whole lie end to end: one run covers them.
  int inner = box.ndim();
  std::int64_t count = 1;
  while (inner > 0) {
    --inner;
    count *= box.sizes[inner];
    if (box.sizes[inner] != sizes[inner]) {
      break;
    }
  }
  std::int64_t start = 0;
  for (int d = 0; d < box.ndim(); ++d) {
    start += box.offsets[d] * strides[d];
  }
  Dims at = Dims::filled(inner, 0);
  while (true) {
    std::int64_t offset = start;
    for (int d = 0; d < inner; ++d) {
      offset += at[d] * strides[d];
    }
    take(offset, count);
    int d = inner - 1;
    while (d >= 0 && ++at[d] == box.sizes[d]) {
      at[d--] = 0;
    }
    if (d < 0) {
      return;
    }
  }
}

}  // namespace shardmark
