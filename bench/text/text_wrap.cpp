// SPDX-License-Identifier: Apache-2.0
#include "bench/text/text_wrap.hpp"

#include <algorithm>

namespace shardmark::bench {
namespace {

/// Characters that take a column: neither inside a UTF-8 sequence nor of a colour.
std::size_t columns_of(std::string_view word) {
  std::size_t columns = 0;
  bool escape = false;
  for (const char c : word) {
    escape = escape || c == '\033';
    columns += !escape && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1U : 0U;
    escape = escape && c != 'm';
  }
  return columns;
}

std::string wrapped_line(std::string_view line, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  while (!line.empty()) {
    // A word and the spaces before it, which end with a line.
    const std::size_t start = std::min(line.find_first_not_of(' '), line.size());
    const std::size_t end = std::min(line.find(' ', start), line.size());
    const std::string_view word = line.substr(start, end - start);
    const std::size_t columns = columns_of(word);
    if (column > indent && column + start + columns > width && !word.empty()) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    } else {
      out += line.substr(0, start);
      column += start;
    }
    out += word;
    column += columns;
    line.remove_prefix(end);
  }
  return out;
}

}  // namespace

std::string wrapped(std::string_view text, std::optional<int> width, int indent) {
  if (!width || *width <= indent) {
    return std::string(text);
  }
  std::string out;
  while (true) {
    const std::size_t end = text.find('\n');
    out += wrapped_line(text.substr(0, end), static_cast<std::size_t>(*width),
                        static_cast<std::size_t>(indent));
    if (end == std::string_view::npos) {
      return out;
    }
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

}  // namespace shardmark::bench
