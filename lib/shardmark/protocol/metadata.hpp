// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shardmark/core/box.hpp"
#include "shardmark/core/dims.hpp"
#include "shardmark/core/dtype.hpp"

namespace shardmark {

/// Where one stored box of a tensor lies: offsets and sizes in elements. May be empty.
using ChunkStorageMetadata = Box;

/// DCP's key: which box of which entry. `fqn` views the StateDict's string. `offset` is the box's
/// corner in the global tensor, none for bytes. `index` is only a hint: the box's position in the
/// hook's list.
struct MetadataIndex {
  std::string_view fqn;
  std::optional<Dims> offset;
  std::optional<std::int64_t> index;

  /// The hint is no part of the key.
  friend bool operator==(const MetadataIndex& a, const MetadataIndex& b) noexcept {
    return a.fqn == b.fqn && a.offset == b.offset;
  }
};

struct TensorProperties {
  Dtype dtype = Dtype::float32;

  friend bool operator==(const TensorProperties&, const TensorProperties&) = default;
};

}  // namespace shardmark
