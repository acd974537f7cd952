// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/core/box.hpp"

namespace shardmark {

/// No smaller piece is cut from a replicated chunk: below this a write costs more than it moves.
inline constexpr std::int64_t min_split_bytes = std::int64_t{1} << 20;

/// Local. Cuts a replicated chunk into at most `num_holders` pieces of nearly equal size and of at
/// least min_split_bytes, in row-major order of their offsets; the chunk itself where that gives
/// fewer than two.
///
/// The pieces form a grid: as many cuts along dim 0 as leave them even within 0.03 %, the rest
/// along the dimensions after it, as long as rows of at least 16 KiB stay in one piece. Where no
/// grid is that even, the one with the smallest largest piece.
std::vector<Box> cut_over_holders(const Box& chunk, std::int64_t itemsize,
                                  std::int64_t num_holders);

}  // namespace shardmark
