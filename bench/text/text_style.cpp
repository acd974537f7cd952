// SPDX-License-Identifier: Apache-2.0
#include "bench/text/text_style.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "bench/machine/launch.hpp"

namespace shardmark::bench {
namespace {

std::optional<int> width_of(const std::string& terminal) {
  winsize size{};
  const int file = open(terminal.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC);
  const bool known = file >= 0 && ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (file >= 0) {
    close(file);
  }
  return known ? std::optional<int>(size.ws_col) : std::nullopt;
}

}  // namespace

std::string terminal_of(std::FILE* stream) {
  // A launcher gives rank 0 a pipe or a terminal of its own and copies that to its own stream: what
  // counts is where that one goes.
  const std::string process =
      detect_launch().launched ? std::to_string(getppid()) : std::string("self");
  const std::string link = fmt::format("/proc/{}/fd/{}", process, fileno(stream));
  std::array<char, 256> target{};
  if (readlink(link.c_str(), target.data(), target.size() - 1) > 0) {
    const std::string_view path = target.data();
    if (path.starts_with("/dev/pts/") || path.starts_with("/dev/tty")) {
      return std::string(path);
    }
  }
  return "";
}

TextStyle text_style(std::FILE* stream) {
  TextStyle style;
  const std::string terminal = terminal_of(stream);
  if (terminal.empty()) {
    return style;
  }
  style.width = width_of(terminal);
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  style.colour = (no_color == nullptr || *no_color == '\0') && term != nullptr &&
                 std::string_view(term) != "dumb";
  return style;
}

}  // namespace shardmark::bench
