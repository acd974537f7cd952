// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace shardmark {

/// Which of a list of boxes each rank holds. One list of ranks may serve many tensors.
class BoxHolders {
 public:
  using Pair = std::pair<std::int64_t, std::uint32_t>;  // rank, number of a box

  /// Local. In any order; one twice counts once.
  explicit BoxHolders(std::vector<Pair> pairs, std::size_t num_boxes);

  /// Local. O(log ranks).
  std::span<const Pair> of(std::int64_t rank) const noexcept;
  std::size_t num_boxes() const noexcept { return num_boxes_; }
  /// The highest rank that holds one; -1 without any.
  std::int64_t last_rank() const noexcept { return pairs_.empty() ? -1 : pairs_.back().first; }

 private:
  std::vector<Pair> pairs_;  // ascending
  std::size_t num_boxes_;
};

}  // namespace shardmark
