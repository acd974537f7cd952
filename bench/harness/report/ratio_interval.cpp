// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/ratio_interval.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace shardmark::bench {
namespace {

constexpr double error_a_side = 0.025;

/// How many values from each end lie outside the interval: the most k for which fewer than k + 1 of
/// n values fall on one side of the median with a chance of at most error_a_side.
std::size_t left_outside(std::size_t n) {
  double chance = std::exp2(-static_cast<double>(n));  // of exactly i values on one side
  double below = 0;
  for (std::size_t i = 0; i < n; ++i) {
    below += chance;
    if (below > error_a_side) {
      return i == 0 ? 0 : i - 1;
    }
    chance *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  }
  return 0;
}

}  // namespace

std::optional<RatioInterval> interval_over(std::vector<double> ratios) {
  if (ratios.empty()) {
    return std::nullopt;
  }
  std::ranges::sort(ratios);
  const std::size_t n = ratios.size();
  const std::size_t outside = left_outside(n);
  const double median = n % 2 == 1 ? ratios[n / 2] : (ratios[n / 2 - 1] + ratios[n / 2]) / 2;
  return RatioInterval{median, ratios[outside], ratios[n - 1 - outside], static_cast<int>(n)};
}

std::string ratio_text(const RatioInterval& ratio) {
  return fmt::format("{:.2f} [{:.2f}..{:.2f}]", ratio.median, ratio.low, ratio.high);
}

}  // namespace shardmark::bench
