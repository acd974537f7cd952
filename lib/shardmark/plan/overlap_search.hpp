// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "shardmark/plan/chunk_table.hpp"
#include "shardmark/plan/entry_table.hpp"

namespace shardmark {

/// Finds the chunks of one entry that a box meets. A layout answers by arithmetic; listed chunks
/// are sorted along the dimension that most of them cut; a query looks only at those whose start
/// lies within reach of the box: O(log n + candidates) instead of O(n).
class OverlapSearch {
 public:
  OverlapSearch(const ChunkTable& chunks, const Entry& entry)
      : chunks_(chunks),
        grid_(chunks.grid_of(entry)),
        first_(entry.first_chunk),
        ndim_(entry.sizes.ndim()) {
    if (grid_ != nullptr) {
      return;
    }
    starts_.resize(entry.num_chunks);
    const auto cut_by = [&](int d) {
      std::size_t cut = 0;
      for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
        cut += chunks.box(first_ + i, ndim_).offsets[d] != 0 ? 1U : 0U;
      }
      return cut;
    };
    std::size_t most = 0;
    for (int d = 0; d < ndim_ && entry.num_chunks > 1; ++d) {
      if (const std::size_t cut = cut_by(d); cut > most) {
        most = cut;
        dim_ = d;
      }
    }
    for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
      const Box box = chunks.box(first_ + i, ndim_);
      starts_[i] = {ndim_ == 0 ? 0 : box.offsets[dim_], i};
      longest_ = std::max(longest_, ndim_ == 0 ? 1 : box.sizes[dim_]);
    }
    if (!std::is_sorted(starts_.begin(), starts_.end())) {
      std::sort(starts_.begin(), starts_.end());
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
    auto at = starts_.begin();
    std::int64_t end = 1;
    if (ndim_ > 0) {
      const std::int64_t from = box.offsets[dim_] - longest_ + 1;
      end = box.offsets[dim_] + box.sizes[dim_];
      at = std::lower_bound(
          starts_.begin(), starts_.end(), from,
          [](const auto& start, std::int64_t value) { return start.first < value; });
    }
    for (; at != starts_.end() && at->first < end; ++at) {
      const Box stored = chunks_.box(first_ + at->second, ndim_);
      if (const auto common = intersect(box, stored)) {
        take(first_ + at->second, stored, *common);
      }
    }
  }

 private:
  const ChunkTable& chunks_;
  const ChunkGrid* grid_;
  std::uint64_t first_;
  int ndim_;
  int dim_ = 0;
  std::int64_t longest_ = 1;
  std::vector<std::pair<std::int64_t, std::uint64_t>>
      starts_;  // along dim_, chunk within the entry
};

}  // namespace shardmark
