// SPDX-License-Identifier: Apache-2.0
#include "bench/config/byte_size.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace shardmark::bench {

std::optional<std::int64_t> parse_byte_size(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') {
    return std::nullopt;
  }
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc()) {
    return std::nullopt;
  }
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.size() > 1 && unit.front() == ' ') {
    unit.remove_prefix(1);
  }
  constexpr std::array<std::pair<std::string_view, int>, 6> units = {
      {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  for (const auto& [name, shift] : units) {
    if (unit == name) {
      if (count > (std::numeric_limits<std::int64_t>::max() >> shift)) {
        return std::nullopt;
      }
      return count << shift;
    }
  }
  return std::nullopt;
}

}  // namespace shardmark::bench
