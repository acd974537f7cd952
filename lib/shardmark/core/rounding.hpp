// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>

namespace shardmark {

/// What a file system or a page of memory is taken to be where nothing says otherwise.
inline constexpr std::int64_t default_block_bytes = 4096;

/// Local. The largest multiple of `unit` up to `value`, and the smallest from it on; neither number
/// is negative.
template <std::integral T>
constexpr T round_down(T value, T unit) {
  return value / unit * unit;
}

template <std::integral T>
constexpr T round_up(T value, T unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace shardmark
