// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/dims.hpp"

namespace shardmark::bench {

/// Local. "10,7": numbers from 0 separated by commas; empty text: none. Errors: invalid_argument,
/// naming `option`.
Result<std::vector<std::int64_t>> parse_numbers(const std::string& option, std::string_view text);

/// Local. The same as extents or offsets of a tensor: at most max_ndim.
Result<Dims> parse_extents(const std::string& option, std::string_view text);

}  // namespace shardmark::bench
