// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/texts/shell_completion.hpp"

namespace shardmark::bench {

ValueKind value_kind(std::string_view value) {
  if (value == "DIR") {
    return ValueKind::directory;
  }
  if (value == "CONFIG") {
    return ValueKind::config;
  }
  if (value == "NAME") {
    return ValueKind::model;
  }
  return value == "KEY=VALUE" ? ValueKind::setting : ValueKind::anything;
}

std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) {
      out += '\\';
    }
    out += c;
  }
  return out;
}

}  // namespace shardmark::bench
