// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace shardmark::bench {

/// Local. Three significant digits: "1.43", "12.0", "350".
std::string three_digits(double value);

/// Local. "512 B", "1.50 KiB", "2.00 GiB": three digits.
std::string format_bytes(std::int64_t num_bytes);

/// Local. "1.43 GiB/s".
std::string format_rate(double bytes_per_second);

/// Local. "1.43 s", "12.0 ms", "350 us", "80.0 ns".
std::string format_seconds(double seconds);

/// Local. "8,030,261,248".
std::string format_count(std::int64_t count);

}  // namespace shardmark::bench
