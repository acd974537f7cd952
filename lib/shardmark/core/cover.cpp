// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/cover.hpp"

#include <algorithm>
#include <vector>

namespace shardmark {
namespace {

std::optional<CoverDefect> find_out_of_bounds(const Dims& sizes, std::span<const Box> boxes) {
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (int d = 0; d < sizes.ndim(); ++d) {
      const std::int64_t offset = boxes[i].offsets[d];
      const std::int64_t size = boxes[i].sizes[d];
      if (offset < 0 || size < 0 || offset > sizes[d] || size > sizes[d] - offset) {
        return CoverDefect{CoverDefect::Kind::out_of_bounds, boxes[i].offsets, i, i};
      }
    }
  }
  return std::nullopt;
}

/// The defect at the element `at`, which is not covered exactly once.
CoverDefect describe(const Dims& at, std::span<const Box> boxes) {
  CoverDefect defect{CoverDefect::Kind::hole, at, 0, 0};
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
    return CoverDefect{CoverDefect::Kind::hole, Dims::filled(sizes.ndim(), 0), 0, 0};
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
  if (cut.size() == 1) {
    return check_line(sizes, cut.front(), boxes);
  }
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
      return describe(corners[first].at, boxes);
    }
  }
  return std::nullopt;
}

}  // namespace shardmark
