// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

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

/// Local. DCP's look-up, shared by the tensor types: the hint is probed first, then the boxes one
/// by one. `offsets_of(i)` gives box i's corner. Errors: invalid_argument without an offset,
/// not_found for an unknown one.
template <typename OffsetsOf>
Result<std::size_t> find_box_at(const MetadataIndex& index, std::size_t num_boxes,
                                const OffsetsOf& offsets_of) {
  if (!index.offset) {
    return no_offset_given(index);
  }
  if (hint_is_right(index, num_boxes, offsets_of)) {
    return static_cast<std::size_t>(*index.index);
  }
  for (std::size_t i = 0; i < num_boxes; ++i) {
    if (offsets_of(i) == *index.offset) {
      return i;
    }
  }
  return no_box_there(index);
}

/// Local. The same for boxes that stand in row-major order of their offsets: O(log n).
template <typename OffsetsOf>
Result<std::size_t> find_box_at_sorted(const MetadataIndex& index, std::size_t num_boxes,
                                       const OffsetsOf& offsets_of) {
  if (!index.offset) {
    return no_offset_given(index);
  }
  if (hint_is_right(index, num_boxes, offsets_of)) {
    return static_cast<std::size_t>(*index.index);
  }
  std::size_t low = 0;
  std::size_t high = num_boxes;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (offsets_of(middle) < *index.offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < num_boxes && offsets_of(low) == *index.offset) {
    return low;
  }
  return no_box_there(index);
}

}  // namespace shardmark
