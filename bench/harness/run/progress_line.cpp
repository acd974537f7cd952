// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/progress_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/harness/measure/collective_timer.hpp"
#include "bench/text/text_style.hpp"

namespace shardmark::bench {

std::string clock_text(double seconds) {
  const auto total = static_cast<long>(std::lround(std::max(seconds, 0.0)));
  const long hours = total / 3600;
  const long minutes = total / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
                   : fmt::format("{}:{:02}", minutes, total % 60);
}

ProgressLine::ProgressLine(std::FILE* stream, bool enabled, int num_steps)
    : stream_(stream),
      enabled_(enabled && !terminal_of(stream).empty()),
      num_steps_(num_steps),
      start_s_(steady_seconds()) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::show(std::string_view text) {
  if (!enabled_) {
    return;
  }
  std::string eta;
  if (steps_done_ > 0) {
    const double elapsed_s = steady_seconds() - start_s_;
    eta = " eta " + clock_text(elapsed_s / steps_done_ * (num_steps_ - steps_done_));
  }
  const auto columns = static_cast<std::size_t>(text_style(stream_).width.value_or(80));
  const std::size_t width = std::max(columns, eta.size() + 2) - 1;
  fmt::print(stream_, "\r\033[K{}{}", text.substr(0, width - eta.size()), eta);
  std::fflush(stream_);
}

void ProgressLine::clear() {
  if (enabled_) {
    fmt::print(stream_, "\r\033[K");
    std::fflush(stream_);
  }
}

}  // namespace shardmark::bench
