// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shardmark::bench {

/// Local. Bytes of "4096", "64KiB", "1 MiB", "2GiB", "1TiB"; nullopt for anything else, a sign, a
/// fraction, or more than 2^63 - 1 bytes.
std::optional<std::int64_t> parse_byte_size(std::string_view text);

}  // namespace shardmark::bench
