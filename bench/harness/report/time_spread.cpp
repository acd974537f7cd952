// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/time_spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace shardmark::bench {
std::optional<TimeSpread> spread_over(std::vector<double> seconds) {
  if (seconds.empty()) {
    return std::nullopt;
  }
  std::ranges::sort(seconds);
  const std::size_t middle = seconds.size() / 2;
  const double median =
      seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  return TimeSpread{median, seconds.front(), seconds.back()};
}

std::string spread_text(const TimeSpread& spread, const TimeUnit& unit) {
  return fmt::format("{} [{}..{}]", format_seconds(spread.median, unit),
                     three_digits(spread.min / unit.seconds),
                     three_digits(spread.max / unit.seconds));
}

}  // namespace shardmark::bench
