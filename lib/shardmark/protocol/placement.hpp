// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

enum class PlacementKind : std::uint8_t { replicate, shard, strided_shard, partial };

/// What one mesh dimension does to a tensor. A plain value of a closed set.
struct Placement {
  PlacementKind kind = PlacementKind::replicate;
  std::int32_t dim = 0;  // shard, strided_shard: the tensor dimension; negative counts from the end
  std::int64_t split_factor = 1;  // strided_shard: pieces that each take their own cut

  static constexpr Placement replicate() { return {}; }
  static constexpr Placement shard(std::int32_t dim) { return {PlacementKind::shard, dim, 1}; }
  static constexpr Placement strided_shard(std::int32_t dim, std::int64_t split_factor) {
    return {PlacementKind::strided_shard, dim, split_factor};
  }
  /// Sums that no rank holds whole: refused by every hook.
  static constexpr Placement partial() { return {PlacementKind::partial, 0, 1}; }

  friend constexpr bool operator==(const Placement&, const Placement&) = default;
};

/// Local. "R", "S(0)", "SS(0,4)", "P".
std::string to_string(const Placement& placement);

/// Local. "S(0),R,SS(1,2)": one placement per mesh dimension.
/// Errors: invalid_argument naming the part that is none of R, P, S(d), SS(d,k).
Result<std::vector<Placement>> parse_placements(std::string_view text);

}  // namespace shardmark
