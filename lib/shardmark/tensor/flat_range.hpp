// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "shardmark/core/box.hpp"

namespace shardmark {

/// Elements `begin` to `end` - 1 of a flattened (row-major) thing.
struct FlatRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  constexpr std::int64_t size() const noexcept { return end - begin; }
  friend constexpr bool operator==(const FlatRange&, const FlatRange&) = default;
};

/// Local. The common elements; an empty range at `a.begin` if there are none.
constexpr FlatRange intersect(const FlatRange& a, const FlatRange& b) noexcept {
  const FlatRange common{std::max(a.begin, b.begin), std::min(a.end, b.end)};
  return common.end > common.begin ? common : FlatRange{a.begin, a.begin};
}

/// Local. Cuts `range` of the row-major elements of a tensor of `sizes` into boxes: head slivers,
/// a middle block, tail slivers, at most 2 * ndim - 1 of them. Calls `take(box)` for each, in
/// row-major order, so that each begins in the flattened order where the one before ended.
/// Source: veScale's RaggedShard, ByteCheckpoint's decomposition.
template <typename Take>
void for_each_box_of_range(const FlatRange& range, const Dims& sizes, const Take& take) {
  if (range.size() <= 0) {
    return;
  }
  const Dims strides = row_major_strides(sizes);
  for (std::int64_t at = range.begin; at < range.end;) {
    // The outermost dimension of which whole slices begin here and fit.
    int d = sizes.ndim();
    while (d > 0 && at % strides[d - 1] == 0 && strides[d - 1] <= range.end - at) {
      --d;
    }
    if (d == sizes.ndim()) {  // 0-d
      take(Box{Dims(), Dims()});
      return;
    }
    Box box;
    box.offsets = Dims::filled(sizes.ndim(), 0);
    box.sizes = sizes;
    std::int64_t rest = at;
    for (int i = 0; i < sizes.ndim(); ++i) {
      if (i <= d) {
        box.offsets[i] = rest / strides[i];
        box.sizes[i] = 1;
        rest %= strides[i];
      }
    }
    // Slices of d as far as range and row reach.
    box.sizes[d] = std::min((range.end - at) / strides[d], sizes[d] - box.offsets[d]);
    take(box);
    at += box.sizes[d] * strides[d];
  }
}

}  // namespace shardmark
