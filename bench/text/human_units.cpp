// SPDX-License-Identifier: Apache-2.0
#include "bench/text/human_units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace shardmark::bench {
namespace {

constexpr std::array time_units = {TimeUnit{1, "s"}, TimeUnit{1e-3, "ms"}, TimeUnit{1e-6, "us"},
                                   TimeUnit{1e-9, "ns"}};

std::string binary(double bytes) {
  constexpr std::array<std::string_view, 7> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  // From 1023.5 on, three digits would round to 1024.
  while (std::abs(bytes) >= 1023.5 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", unit == 0 ? fmt::format("{:.0f}", bytes) : three_digits(bytes),
                     units[unit]);
}

}  // namespace

std::string three_digits(double value) {
  constexpr int most_decimals = 12;
  int decimals = 2;
  // Where rounding to three digits gives a fourth, it is one decimal fewer.
  for (double size = std::abs(value); size != 0 && size < 0.9995 && decimals < most_decimals;
       size *= 10) {
    ++decimals;
  }
  for (double size = std::abs(value); size >= 9.995 && decimals > 0; size /= 10) {
    --decimals;
  }
  return fmt::format("{:.{}f}", value, decimals);
}

TimeUnit unit_of(double seconds) {
  std::size_t unit = 0;
  while (seconds != 0 && std::abs(seconds) < 0.9995 * time_units[unit].seconds &&
         unit + 1 < time_units.size()) {
    ++unit;
  }
  return time_units[unit];
}

TimeUnit common_unit(std::span<const double> seconds) {
  double shortest = 0;
  double longest = 0;
  for (const double each : seconds) {
    if (each > 0) {
      shortest = shortest == 0 ? each : std::min(shortest, each);
      longest = std::max(longest, each);
    }
  }
  // The middle on a scale of ratios.
  return unit_of(std::sqrt(shortest) * std::sqrt(longest));
}

std::string format_bytes(std::int64_t num_bytes) {
  return binary(static_cast<double>(num_bytes));
}

std::string format_rate(double bytes_per_second) {
  return binary(bytes_per_second) + "/s";
}

std::string format_seconds(double seconds) {
  return format_seconds(seconds, unit_of(seconds));
}

std::string format_seconds(double seconds, const TimeUnit& unit) {
  return fmt::format("{} {}", seconds == 0 ? "0" : three_digits(seconds / unit.seconds), unit.name);
}

std::string format_count(std::int64_t count) {
  std::string text = fmt::format("{}", count);
  const std::size_t first = text.front() == '-' ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

}  // namespace shardmark::bench
