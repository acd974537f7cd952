// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "shardmark/core/box.hpp"

namespace shardmark {

/// Where a set of boxes fails to tile a region exactly once.
struct CoverDefect {
  enum class Kind : std::uint8_t { out_of_bounds, overlap, hole };
  Kind kind = Kind::hole;
  Dims at;  // the first element, in row-major order, that is covered never or more than once
  std::size_t box = 0;        // out_of_bounds, overlap: a box at fault
  std::size_t other_box = 0;  // overlap: the one it meets
};

/// Local. Nothing if every element of a tensor of `sizes` lies in exactly one of the (non-empty)
/// boxes.
///
/// The indicator function of a box is determined by its signed corners, and so is a sum of such
/// functions: boxes tile the region if and only if their corners, with signs, cancel to the
/// region's own. Sorting n * 2^k corners decides it exactly in O(n log n), where k counts the
/// dimensions that any box really cuts; a gap and an overlap that cancel in volume are found like
/// any other. The first corner left over is the first wrong element.
std::optional<CoverDefect> find_cover_defect(const Dims& sizes, std::span<const Box> boxes);

/// Local. True if the boxes are the cells of a grid that tiles a tensor of `sizes`, in row-major
/// order; `coordinates` are the offsets, then the sizes, of one after another. What most tensors
/// are cut into, told in O(n). False says nothing.
bool is_grid_of(const Dims& sizes, std::size_t num_boxes,
                std::span<const std::int64_t> coordinates);

}  // namespace shardmark
