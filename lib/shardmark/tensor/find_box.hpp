// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstddef>

#include "shardmark/core/result.hpp"
#include "shardmark/protocol/metadata.hpp"

namespace shardmark {

/// Local. DCP's look-up, shared by all tensor types: the hint is probed first, then the boxes one
/// by one. `offsets_of(i)` gives box i's corner. Errors: invalid_argument without an offset,
/// not_found for an unknown one.
template <typename OffsetsOf>
Result<std::size_t> find_box_at(const MetadataIndex& index, std::size_t num_boxes,
                                const OffsetsOf& offsets_of) {
  if (!index.offset) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("cannot look up '{}': no offset given", index.fqn)};
  }
  if (index.index && *index.index >= 0 && static_cast<std::size_t>(*index.index) < num_boxes) {
    const auto hint = static_cast<std::size_t>(*index.index);
    if (offsets_of(hint) == *index.offset) {
      return hint;
    }
  }
  for (std::size_t i = 0; i < num_boxes; ++i) {
    if (offsets_of(i) == *index.offset) {
      return i;
    }
  }
  return Error{ErrorCode::not_found, fmt::format("'{}' has no local box at offset {}", index.fqn,
                                                 to_string(*index.offset))};
}

}  // namespace shardmark
