// SPDX-License-Identifier: Apache-2.0
#include "bench/text/error_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {

std::string error_document(const Error& error) {
  nlohmann::ordered_json document;
  document["error"] = {{"code", exit_code(error.code)},
                       {"message", error.message},
                       {"rank", error.rank < 0 ? 0 : error.rank}};
  // Arguments and names may be no UTF-8; the document always is.
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string error_message(const Error& error, const TextStyle& style) {
  constexpr int max_lines = 6;
  std::string text = fmt::format(
      "shardmark: {}error:{} {}{}", style.colour ? "\033[1;31m" : "", style.colour ? "\033[0m" : "",
      error.rank < 0 ? "" : fmt::format("rank {}: ", error.rank), error.message);
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  std::size_t end = 0;
  for (int line = 0; line < max_lines && end != std::string::npos; ++line) {
    end = text.find('\n', line == 0 ? 0 : end + 1);
  }
  if (end != std::string::npos) {
    text.resize(end);
  }
  const std::string broken = wrapped(text, style.width, 2);
  const bool fits = std::count(broken.begin(), broken.end(), '\n') < max_lines;
  return (fits ? broken : text) + "\n";
}

}  // namespace shardmark::bench
