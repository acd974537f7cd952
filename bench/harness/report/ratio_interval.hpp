// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace shardmark::bench {

/// The median of ratios taken pair by pair, and where it lies.
struct RatioInterval {
  double median = 1;
  double low = 1;
  double high = 1;
  int pairs = 0;

  /// Whether low to high holds the median with at least 95 %: below six pairs no interval does.
  bool is_certain() const noexcept { return pairs >= 6; }
};

/// Local. By order statistics, exact whatever the ratios' distribution: the narrowest pair of them
/// that holds the median with at least 95 %, all of them where there are too few. nullopt of
/// nothing.
std::optional<RatioInterval> interval_over(std::vector<double> ratios);

/// Local. "1.30 [1.20..1.60]".
std::string ratio_text(const RatioInterval& ratio);

}  // namespace shardmark::bench
