// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <cstddef>

#include "shardmark/core/result.hpp"
#include "shardmark/protocol/metadata.hpp"

namespace shardmark {

/// Local. The failures of a look-up, the same for every tensor type.
inline Error no_offset_given(const MetadataIndex& index) {
  return {ErrorCode::invalid_argument,
          fmt::format("cannot look up '{}': no offset given", index.fqn)};
}
inline Error no_box_there(const MetadataIndex& index) {
  return {ErrorCode::not_found,
          fmt::format("'{}' has no local box at offset {}", index.fqn, to_string(*index.offset))};
}

/// Local. True if the hint names a box of `num_boxes` that starts at the wanted offset.
template <typename OffsetsOf>
bool hint_is_right(const MetadataIndex& index, std::size_t num_boxes, const OffsetsOf& offsets_of) {
  return index.index && *index.index >= 0 && static_cast<std::size_t>(*index.index) < num_boxes &&
         offsets_of(static_cast<std::size_t>(*index.index)) == *index.offset;
}

/// Local. Where a box at `wanted` stands if the boxes are evenly spaced along the dimension in
/// which the first and the last differ: so they are where one dimension is cut in strides.
template <typename OffsetsOf>
std::size_t evenly_spaced_place(const Dims& wanted, std::size_t num_boxes,
                                const OffsetsOf& offsets_of) {
  const Dims& first = offsets_of(0);
  const Dims& last = offsets_of(num_boxes - 1);
  const int ndim = std::min(wanted.ndim(), first.ndim());
  for (int d = 0; d < ndim; ++d) {
    if (first[d] != last[d]) {
      // In floating point: what is wanted may be any number.
      const double from_first = static_cast<double>(wanted[d]) - static_cast<double>(first[d]);
      const double share = from_first / static_cast<double>(last[d] - first[d]);
      const auto last_place = static_cast<double>(num_boxes - 1);
      return static_cast<std::size_t>(std::clamp(share * last_place + 0.5, 0.0, last_place));
    }
  }
  return 0;
}

/// Local. DCP's look-up, shared by the tensor types: the hint is probed first, then the place in an
/// even row, then the boxes by halving, for they stand in row-major order of their offsets.
/// `offsets_of(i)` gives box i's corner. Errors: invalid_argument without an offset, not_found for
/// an unknown one.
template <typename OffsetsOf>
Result<std::size_t> find_box_at(const MetadataIndex& index, std::size_t num_boxes,
                                const OffsetsOf& offsets_of) {
  if (!index.offset) {
    return no_offset_given(index);
  }
  const Dims& wanted = *index.offset;
  if (hint_is_right(index, num_boxes, offsets_of)) {
    return static_cast<std::size_t>(*index.index);
  }
  std::size_t low = 0;
  std::size_t high = num_boxes;
  if (num_boxes > 2) {
    const std::size_t place = evenly_spaced_place(wanted, num_boxes, offsets_of);
    const auto order = offsets_of(place) <=> wanted;
    if (order == 0) {
      return place;
    }
    low = order < 0 ? place + 1 : 0;
    high = order < 0 ? num_boxes : place;
  }
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (offsets_of(middle) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < num_boxes && offsets_of(low) == wanted) {
    return low;
  }
  return no_box_there(index);
}

}  // namespace shardmark
