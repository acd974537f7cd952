// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/owners/split.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace shardmark {
namespace {

constexpr std::int64_t min_run_bytes = std::int64_t{16} << 10;
constexpr double even_enough = 1.0003;

/// Looks for the best way to cut a box into a given number of parts.
class GridSearch {
 public:
  GridSearch(const Dims& sizes, std::int64_t itemsize)
      : sizes_(sizes), itemsize_(itemsize), parts_(Dims::filled(sizes.ndim(), 1)) {}

  /// Tries `parts` parts; true if the best grid so far is even enough.
  bool try_parts(std::int64_t parts) {
    num_parts_ = parts;
    return place(0, parts, 1, itemsize_);
  }

  /// Elements of the largest piece of the best grid.
  std::int64_t largest_piece() const noexcept { return best_largest_; }
  const std::optional<Dims>& best() const noexcept { return best_; }

 private:
  /// Spreads `rest` cuts over the dimensions from `d` on. `largest`: extents of the largest piece
  /// before `d`, multiplied; `smallest_bytes` the same of the smallest, in bytes.
  bool place(int d, std::int64_t rest, std::int64_t largest, std::int64_t smallest_bytes) {
    if (d == sizes_.ndim()) {
      return rest == 1 && judge(largest, smallest_bytes);
    }
    for (std::int64_t cuts = std::min(rest, sizes_[d]); cuts >= 1; --cuts) {
      if (rest % cuts != 0 || (d + 1 == sizes_.ndim() && cuts != rest)) {
        continue;
      }
      parts_[d] = cuts;
      const std::int64_t low = sizes_[d] / cuts;
      const std::int64_t high = (sizes_[d] + cuts - 1) / cuts;
      if (place(d + 1, rest / cuts, largest * high, smallest_bytes * low)) {
        return true;
      }
    }
    parts_[d] = 1;
    return false;
  }

  bool judge(std::int64_t largest, std::int64_t smallest_bytes) {
    const bool rows_whole = num_parts_ == parts_[0];
    if (smallest_bytes < min_split_bytes || (!rows_whole && run_bytes() < min_run_bytes)) {
      return false;
    }
    if (!best_ || largest < best_largest_) {
      best_ = parts_;
      best_largest_ = largest;
    }
    const double even = static_cast<double>(volume(sizes_)) / static_cast<double>(num_parts_);
    return static_cast<double>(largest) <= even * even_enough && best_largest_ == largest;
  }

  /// The shortest stretch of consecutive bytes of a piece.
  std::int64_t run_bytes() const noexcept {
    std::int64_t bytes = itemsize_;
    for (int d = sizes_.ndim() - 1; d >= 0; --d) {
      bytes *= sizes_[d] / parts_[d];
      if (parts_[d] != 1) {
        break;
      }
    }
    return bytes;
  }

  Dims sizes_;
  std::int64_t itemsize_;
  std::int64_t num_parts_ = 1;
  Dims parts_;
  std::optional<Dims> best_;
  std::int64_t best_largest_ = std::numeric_limits<std::int64_t>::max();
};

/// Part `i` of `parts` of an extent: sizes differ by one at most, longer ones first.
std::pair<std::int64_t, std::int64_t> part_of(std::int64_t extent, std::int64_t parts,
                                              std::int64_t i) {
  const std::int64_t low = extent / parts;
  const std::int64_t longer = extent % parts;
  return {i * low + std::min(i, longer), low + (i < longer ? 1 : 0)};
}

}  // namespace

std::vector<Box> cut_over_holders(const Box& chunk, std::int64_t itemsize,
                                  std::int64_t num_holders) {
  const std::int64_t elements = chunk.num_elements();
  const std::int64_t most = std::min(num_holders, elements / (min_split_bytes / itemsize));
  GridSearch search(chunk.sizes, itemsize);
  for (std::int64_t parts = most; parts >= 2; --parts) {
    // Fewer parts cannot be smaller than what is known.
    if (elements / parts >= search.largest_piece() || search.try_parts(parts)) {
      break;
    }
  }
  if (!search.best()) {
    return {chunk};
  }
  const Dims& grid = *search.best();
  std::vector<Box> pieces;
  Dims at = Dims::filled(grid.ndim(), 0);
  while (true) {
    Box piece = chunk;
    for (int d = 0; d < grid.ndim(); ++d) {
      const auto [offset, size] = part_of(chunk.sizes[d], grid[d], at[d]);
      piece.offsets[d] += offset;
      piece.sizes[d] = size;
    }
    pieces.push_back(piece);
    int d = grid.ndim() - 1;
    while (d >= 0 && ++at[d] == grid[d]) {
      at[d--] = 0;
    }
    if (d < 0) {
      return pieces;
    }
  }
}

}  // namespace shardmark
