// SPDX-License-Identifier: Apache-2.0
#include "bench/text/human_units.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

namespace shardmark::bench {
namespace {

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
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

std::string format_bytes(std::int64_t num_bytes) {
  return binary(static_cast<double>(num_bytes));
}

std::string format_rate(double bytes_per_second) {
  return binary(bytes_per_second) + "/s";
}

std::string format_seconds(double seconds) {
  constexpr std::array<std::string_view, 4> units = {"s", "ms", "us", "ns"};
  std::size_t unit = 0;
  while (seconds != 0 && std::abs(seconds) < 0.9995 && unit + 1 < units.size()) {
    seconds *= 1000;
    ++unit;
  }
  return fmt::format("{} {}", three_digits(seconds), units[unit]);
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
