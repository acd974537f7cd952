// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/progress_line.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/harness/collective_timer.hpp"

namespace shardmark::bench {
namespace {

/// A launcher gives its ranks pipes and copies them to its own stream: what counts is where that
/// goes. Empty if to no terminal.
std::string terminal_of(std::FILE* stream) {
  for (const std::string& process : {std::string("self"), std::to_string(getppid())}) {
    const std::string link = fmt::format("/proc/{}/fd/{}", process, fileno(stream));
    std::array<char, 256> target{};
    if (readlink(link.c_str(), target.data(), target.size() - 1) > 0 &&
        (std::string_view(target.data()).starts_with("/dev/pts/") ||
         std::string_view(target.data()).starts_with("/dev/tty"))) {
      return target.data();
    }
  }
  return "";
}

std::size_t width_of(const std::string& terminal) {
  winsize size{};
  const int file = open(terminal.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC);
  const bool known = file >= 0 && ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (file >= 0) {
    close(file);
  }
  return known ? size.ws_col : 80;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto total = static_cast<long>(std::lround(std::max(seconds, 0.0)));
  const long hours = total / 3600;
  const long minutes = total / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
                   : fmt::format("{}:{:02}", minutes, total % 60);
}

ProgressLine::ProgressLine(std::FILE* stream, bool enabled, int num_steps)
    : stream_(stream),
      terminal_(enabled ? terminal_of(stream) : ""),
      num_steps_(num_steps),
      start_s_(steady_seconds()) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::show(std::string_view text) {
  if (terminal_.empty()) {
    return;
  }
  std::string eta;
  if (steps_done_ > 0) {
    const double elapsed_s = steady_seconds() - start_s_;
    eta = " eta " + clock_text(elapsed_s / steps_done_ * (num_steps_ - steps_done_));
  }
  const std::size_t width = std::max(width_of(terminal_), eta.size() + 2) - 1;
  fmt::print(stream_, "\r\033[K{}{}", text.substr(0, width - eta.size()), eta);
  std::fflush(stream_);
}

void ProgressLine::clear() {
  if (!terminal_.empty()) {
    fmt::print(stream_, "\r\033[K");
    std::fflush(stream_);
  }
}

}  // namespace shardmark::bench
