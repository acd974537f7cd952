// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// Finds the chunks of one entry that a box meets. A layout answers by arithmetic; listed chunks
/// are searched along the dimension that most of them cut: a query looks only at those whose start
/// lies within reach of the box, O(log n + candidates). To begin with, one pass over the offsets;
/// they are listed by the first dimension ascending, only along another one they are sorted first.
class OverlapSearch {
 public:
  OverlapSearch(const ChunkTable& chunks, const Entry& entry)
      : grid_(chunks.grid_of(entry)),
        first_(entry.first_chunk),
        num_chunks_(entry.num_chunks),
        ndim_(entry.sizes.ndim()) {
    if (grid_ != nullptr || ndim_ == 0) {
      return;
    }
    coordinates_ = chunks.coordinates_of(entry);
    std::array<std::uint64_t, max_ndim> cuts{};
    std::array<std::int64_t, max_ndim> longest{};
    for (std::uint64_t i = 0; i < num_chunks_; ++i) {
      for (int d = 0; d < ndim_; ++d) {
        const auto at = static_cast<std::size_t>(d);
        cuts[at] += offset(i, d) != 0 ? 1U : 0U;
        longest[at] = std::max(longest[at], offset(i, d + ndim_));
      }
    }
    const auto most = std::max_element(cuts.begin(), cuts.begin() + ndim_);
    dim_ = static_cast<int>(most - cuts.begin());
    longest_ = longest[static_cast<std::size_t>(dim_)];
    if (dim_ != 0) {
      order_.resize(num_chunks_);
      std::iota(order_.begin(), order_.end(), std::uint64_t{0});
      std::stable_sort(order_.begin(), order_.end(), [this](std::uint64_t a, std::uint64_t b) {
        return offset(a, dim_) < offset(b, dim_);
      });
    }
  }

  /// Local. Calls `take(chunk number among all, the chunk's box, the common part)`.
  template <typename Take>
  void for_each_overlap(const Box& box, const Take& take) const {
    if (grid_ != nullptr) {
      grid_->for_each_overlap(box,
                              [&](std::uint64_t ordinal, const Box& stored, const Box& common) {
                                take(first_ + ordinal, stored, common);
                              });
      return;
    }
    if (ndim_ == 0) {
      if (num_chunks_ > 0) {
        take(first_, Box{}, Box{});
      }
      return;
    }
    const std::int64_t end = box.offsets[dim_] + box.sizes[dim_];
    for (std::uint64_t i = first_from(box.offsets[dim_] - longest_ + 1); i < num_chunks_; ++i) {
      const std::uint64_t chunk = in_order(i);
      if (offset(chunk, dim_) >= end) {
        break;
      }
      const Box stored = stored_box(chunk);
      if (const auto common = intersect(box, stored)) {
        take(first_ + chunk, stored, *common);
      }
    }
  }

 private:
  /// Of a chunk within the entry; its sizes follow its offsets.
  std::int64_t offset(std::uint64_t chunk, int d) const noexcept {
    return coordinates_[2 * chunk * static_cast<std::size_t>(ndim_) + static_cast<std::size_t>(d)];
  }
  Box stored_box(std::uint64_t chunk) const noexcept {
    Box box{Dims::filled(ndim_, 0), Dims::filled(ndim_, 0)};
    for (int d = 0; d < ndim_; ++d) {
      box.offsets[d] = offset(chunk, d);
      box.sizes[d] = offset(chunk, d + ndim_);
    }
    return box;
  }
  std::uint64_t in_order(std::uint64_t place) const noexcept {
    return order_.empty() ? place : order_[place];
  }
  /// The first place whose chunk starts at `value` or later.
  std::uint64_t first_from(std::int64_t value) const noexcept {
    std::uint64_t begin = 0;
    std::uint64_t end = num_chunks_;
    while (begin < end) {
      const std::uint64_t middle = begin + (end - begin) / 2;
      if (offset(in_order(middle), dim_) < value) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }

  const ChunkGrid* grid_;
  std::uint64_t first_;
  std::uint64_t num_chunks_;
  int ndim_;
  int dim_ = 0;
  std::int64_t longest_ = 1;
  std::span<const std::int64_t> coordinates_;
  std::vector<std::uint64_t> order_;  // chunks by their start along dim_, unless that is 0
};

}  // namespace shardmark
