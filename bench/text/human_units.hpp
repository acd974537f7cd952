// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shardmark::bench {

/// Local. Three significant digits, never an exponent: "0.0143", "1.43", "12.0", "350"; from 1000
/// on whole.
std::string three_digits(double value);

inline constexpr double gib = 1024.0 * 1024.0 * 1024.0;

/// What times are counted in.
struct TimeUnit {
  double seconds = 1;
  std::string_view name = "s";
};

/// Local. The unit of one time: its number is at least 1.
TimeUnit unit_of(double seconds);

/// Local. One unit for a column: the one in which its shortest and its longest time need the fewest
/// digits. Zeros do not count.
TimeUnit common_unit(std::span<const double> seconds);

/// Local. "512 B", "1.50 KiB", "2.00 GiB": three digits.
std::string format_bytes(std::int64_t num_bytes);

/// Local. "1.43 GiB/s".
std::string format_rate(double bytes_per_second);

/// Local. "1.43 s", "12.0 ms", "350 us", "80.0 ns"; in a column all in its unit.
std::string format_seconds(double seconds);
std::string format_seconds(double seconds, const TimeUnit& unit);

/// Local. "8,030,261,248".
std::string format_count(std::int64_t count);

}  // namespace shardmark::bench
