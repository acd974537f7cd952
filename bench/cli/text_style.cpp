// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/text_style.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "bench/cli/launch.hpp"

namespace shardmark::bench {

TextStyle text_style(std::FILE* stream) {
  TextStyle style;
  const int descriptor = fileno(stream);
  // A launcher gives rank 0 a terminal of its own, wherever its output goes in the end.
  if (detect_launch().launched || isatty(descriptor) == 0) {
    return style;
  }
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
  }
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  style.colour = (no_color == nullptr || *no_color == '\0') && term != nullptr &&
                 std::string_view(term) != "dumb";
  return style;
}

}  // namespace shardmark::bench
