// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/time_spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "bench/text/human_units.hpp"

namespace shardmark::bench {
namespace {

struct Unit {
  double seconds;
  std::string_view name;
};

Unit unit_of(double seconds) {
  if (seconds >= 1) {
    return {1, "s"};
  }
  return seconds >= 1e-3 ? Unit{1e-3, "ms"} : Unit{1e-6, "us"};
}

}  // namespace

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

std::string spread_text(const TimeSpread& spread) {
  const Unit unit = unit_of(spread.median);
  return fmt::format("{} {} [{}..{}]", three_digits(spread.median / unit.seconds), unit.name,
                     three_digits(spread.min / unit.seconds),
                     three_digits(spread.max / unit.seconds));
}

}  // namespace shardmark::bench
