// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/ragged_shard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shardmark/tensor/flat_shard.hpp"

namespace shardmark {

Result<FlatRange> RaggedShard::held_range(const Dims& global_sizes,
                                          std::span<const std::int64_t> units, std::int64_t index,
                                          int leading_dims) {
  SHARDMARK_RETURN_IF_ERROR(Status(checked_volume(global_sizes)));
  const int ndim = global_sizes.ndim();
  const int leading = leading_dims == -1 ? ndim : leading_dims;
  if (leading < (ndim == 0 ? 0 : 1) || leading > ndim) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} leading dimensions of a tensor {}: expected 1 to {}", leading_dims,
                             to_string(global_sizes), ndim)};
  }
  std::int64_t sum = 0;
  std::int64_t before = 0;  // units of the ranks below
  for (std::size_t i = 0; i < units.size(); ++i) {
    before = static_cast<std::int64_t>(i) == index ? sum : before;
    if (units[i] < 0 || __builtin_add_overflow(sum, units[i], &sum)) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("units {}: expected numbers from 0 whose sum is below 2^63",
                               fmt::join(units, ","))};
    }
  }
  if (sum == 0 || index < 0 || index >= static_cast<std::int64_t>(units.size())) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("units {} for rank {}: expected one a rank, not all 0",
                             fmt::join(units, ","), index)};
  }
  std::int64_t rows = 1;
  std::int64_t row_elements = 1;
  for (int d = 0; d < ndim; ++d) {
    (d < leading ? rows : row_elements) *= global_sizes[d];
  }
  const std::int64_t unit = rows / sum + (rows % sum != 0 ? 1 : 0);
  const auto row_after = [&](std::int64_t count) {  // count * unit may pass 2^63
    return unit == 0 || count > rows / unit ? rows : std::min(rows, count * unit);
  };
  return FlatRange{row_after(before) * row_elements,
                   row_after(before + units[static_cast<std::size_t>(index)]) * row_elements};
}

Result<RaggedShard> RaggedShard::from_buffer(const TensorView& buffer, const Dims& global_sizes,
                                             const FlatRange& held) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t elements, checked_volume(global_sizes));
  if (held.begin < 0 || held.size() < 0 || held.end > elements) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("elements {} to {} are out of bounds of a tensor {}", held.begin,
                             held.end, to_string(global_sizes))};
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      FlatShard shard, FlatShard::from_buffer(
                           buffer, {global_sizes, buffer.dtype, whole_box(global_sizes), 0, held}));
  return RaggedShard(std::move(shard));
}

}  // namespace shardmark
