// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/text/human_units.hpp"

namespace shardmark::bench {

/// A time over the repetitions of one case.
struct TimeSpread {
  double median = 0;
  double min = 0;
  double max = 0;
};

/// Local. Median (mean of the two middle ones), minimum and maximum; nullopt of nothing.
std::optional<TimeSpread> spread_over(std::vector<double> seconds);

/// Local. "1.30 s [1.20..1.60]".
std::string spread_text(const TimeSpread& spread, const TimeUnit& unit);

}  // namespace shardmark::bench
