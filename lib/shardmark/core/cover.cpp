// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/cover.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace shardmark {
namespace {

std::optional<CoverDefect> find_out_of_bounds(const Dims& sizes, std::span<const Box> boxes) {
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (int d = 0; d < sizes.ndim(); ++d) {
      const std::int64_t offset = boxes[i].offsets[d];
      const std::int64_t size = boxes[i].sizes[d];
      if (offset < 0 || size < 0 || offset > sizes[d] || size > sizes[d] - offset) {
        return CoverDefect{.kind = CoverDefect::Kind::out_of_bounds,
                           .at = boxes[i].offsets,
                           .box = i,
                           .other_box = i};
      }
    }
  }
  return std::nullopt;
}

/// The defect at the element `at`, which is not covered exactly once.
CoverDefect describe(const Dims& at, std::span<const Box> boxes) {
  CoverDefect defect{.kind = CoverDefect::Kind::hole, .at = at};
  int found = 0;
  const Box element{at, Dims::filled(at.ndim(), 1)};
  for (std::size_t i = 0; i < boxes.size() && found < 2; ++i) {
    if (contains(boxes[i], element)) {
      (found == 0 ? defect.box : defect.other_box) = i;
      ++found;
    }
  }
  defect.kind = found > 0 ? CoverDefect::Kind::overlap : CoverDefect::Kind::hole;
  return defect;
}

/// Boxes that cut one dimension only: sorted by it, each must begin where the one before ended.
std::optional<CoverDefect> check_line(const Dims& sizes, int cut, std::span<const Box> boxes) {
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  runs.reserve(boxes.size());
  bool sorted = true;
  for (const Box& box : boxes) {
    sorted = sorted && (runs.empty() || runs.back().first <= box.offsets[cut]);
    runs.emplace_back(box.offsets[cut], box.sizes[cut]);
  }
  if (!sorted) {
    std::sort(runs.begin(), runs.end());
  }
  std::int64_t reached = 0;
  for (const auto& [offset, size] : runs) {
    if (offset != reached) {
      Dims at = Dims::filled(sizes.ndim(), 0);
      at[cut] = std::min(offset, reached);
      return describe(at, boxes);
    }
    reached += size;
  }
  if (reached != sizes[cut]) {
    Dims at = Dims::filled(sizes.ndim(), 0);
    at[cut] = reached;
    return describe(at, boxes);
  }
  return std::nullopt;
}

struct Corner {
  Dims at;
  std::int64_t sign;
};

void append_corners(const Box& box, std::span<const int> cut, std::int64_t sign,
                    std::vector<Corner>& corners) {
  for (std::uint32_t mask = 0; mask < (1U << cut.size()); ++mask) {
    Corner corner{Dims::filled(box.ndim(), 0), sign};
    for (std::size_t k = 0; k < cut.size(); ++k) {
      const int d = cut[k];
      corner.at[d] = box.offsets[d];
      if ((mask >> k & 1U) != 0) {
        corner.at[d] += box.sizes[d];
        corner.sign = -corner.sign;
      }
    }
    corners.push_back(corner);
  }
}

}  // namespace

std::optional<CoverDefect> find_cover_defect(const Dims& sizes, std::span<const Box> boxes) {
  if (auto defect = find_out_of_bounds(sizes, boxes)) {
    return defect;
  }
  if (whole_box(sizes).empty()) {
    return std::nullopt;
  }
  if (boxes.empty()) {
    return CoverDefect{.kind = CoverDefect::Kind::hole, .at = Dims::filled(sizes.ndim(), 0)};
  }
  std::vector<int> cut;  // dimensions that some box does not span
  for (int d = 0; d < sizes.ndim(); ++d) {
    if (std::any_of(boxes.begin(), boxes.end(),
                    [&](const Box& box) { return box.sizes[d] != sizes[d]; })) {
      cut.push_back(d);
    }
  }
  if (cut.empty()) {
    return boxes.size() == 1 ? std::nullopt
                             : std::optional(describe(Dims::filled(sizes.ndim(), 0), boxes));
  }
  // The usual cut by rows: one sort of pairs instead of corners in all dimensions.
  if (cut.size() == 1) {
    return check_line(sizes, cut.front(), boxes);
  }
  // Each box adds +1 and -1 at its corners, the whole tensor the opposite. Summed up from the
  // origin this counts how often each element is covered beyond once: the sums cancel at every
  // corner if and only if that is never. O(n log n), and no element is visited.
  std::vector<Corner> corners;
  corners.reserve((boxes.size() + 1) << cut.size());
  for (const Box& box : boxes) {
    append_corners(box, cut, 1, corners);
  }
  append_corners(whole_box(sizes), cut, -1, corners);
  std::sort(corners.begin(), corners.end(),
            [](const Corner& a, const Corner& b) { return a.at < b.at; });
  for (std::size_t i = 0; i < corners.size();) {
    std::int64_t sum = 0;
    const std::size_t first = i;
    for (; i < corners.size() && corners[i].at == corners[first].at; ++i) {
      sum += corners[i].sign;
    }
    if (sum != 0) {
      // The first corner, in row-major order, that does not cancel is the first element at fault.
      return describe(corners[first].at, boxes);
    }
  }
  return std::nullopt;
}

bool is_grid_of(const Dims& sizes, std::size_t num_boxes,
                std::span<const std::int64_t> coordinates) {
  const std::size_t ndim = sizes.size();
  const std::size_t width = 2 * ndim;
  if (whole_box(sizes).empty()) {
    return num_boxes == 0;
  }
  // A cell's part of dimension d is that of the d'th axis's cell in the same place.
  struct Axis {
    std::size_t step = 1;  // boxes from one cell of it to the next
    std::size_t count = 0;
    std::size_t at = 0;
  };
  std::array<Axis, max_ndim> axes{};
  std::size_t step = 1;
  for (std::size_t d = ndim; d-- > 0;) {
    Axis& axis = axes[d];
    axis.step = step;
    std::int64_t reached = 0;
    const std::int64_t extent = sizes[static_cast<int>(d)];
    for (; reached < extent && axis.count * step < num_boxes; ++axis.count) {
      const std::int64_t* cell = coordinates.data() + axis.count * step * width;
      if (cell[d] != reached || cell[ndim + d] < 1 || cell[ndim + d] > extent - reached) {
        return false;
      }
      reached += cell[ndim + d];
    }
    if (reached != extent) {
      return false;
    }
    step *= axis.count;
  }
  if (step != num_boxes) {
    return false;
  }
  for (const std::int64_t* box = coordinates.data(); step > 0; --step, box += width) {
    for (std::size_t d = 0; d < ndim; ++d) {
      const std::int64_t* cell = coordinates.data() + axes[d].at * axes[d].step * width;
      if (box[d] != cell[d] || box[ndim + d] != cell[ndim + d]) {
        return false;
      }
    }
    for (std::size_t d = ndim; d-- > 0 && ++axes[d].at == axes[d].count;) {
      axes[d].at = 0;
    }
  }
  return true;
}

}  // namespace shardmark
