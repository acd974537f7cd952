// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// What Google Benchmark adds to the name of every repetition.
inline constexpr std::string_view name_suffix = "/iterations:1/manual_time";

/// Local. Positions of the names that `filter` selects: Google Benchmark's rule (POSIX extended
/// regex found anywhere, a leading '-' negates, empty selects all), with and without its suffixes.
/// Done here and not there so that all ranks select alike before anything runs. Errors:
/// invalid_argument for a bad expression, or one that selects nothing (naming what there is).
Result<std::vector<std::size_t>> select_cases(std::string_view filter,
                                              std::span<const std::string> names);

}  // namespace shardmark::bench
