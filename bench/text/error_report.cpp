// SPDX-License-Identifier: Apache-2.0
#include "bench/text/error_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bench/text/printed_json.hpp"
#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {
namespace {

constexpr int max_lines = 6;
constexpr int max_columns = 200;  // also where there is no terminal: logs are read too

/// A name of 60,000 bytes would hide what is said of it: words keep both of their ends.
std::string shortened(std::string_view word) {
  constexpr std::size_t most = 120;
  constexpr std::size_t kept = 50;
  if (word.size() <= most) {
    return std::string(word);
  }
  const auto inside_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(word[at]) & 0xC0U) == 0x80U;
  };
  std::size_t head = kept;
  std::size_t tail = word.size() - kept;
  while (head > 0 && inside_character(head)) {
    --head;
  }
  while (tail < word.size() && inside_character(tail)) {
    ++tail;
  }
  return fmt::format("{}...{}", word.substr(0, head), word.substr(tail));
}

/// What a terminal would obey rather than show becomes '?'; long words are cut in the middle.
std::string readable(std::string_view message) {
  std::string text;
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t end = std::min(message.find_first_of(" \n", at), message.size());
    std::string word = shortened(message.substr(at, end - at));
    std::replace_if(
        word.begin(), word.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
    text += word;
    if (end < message.size()) {
      text += message[end];
    }
    at = end + 1;
  }
  return text;
}

std::string first_lines(const std::string& text) {
  std::size_t end = 0;
  for (int line = 0; line < max_lines && end != std::string::npos; ++line) {
    end = text.find('\n', line == 0 ? 0 : end + 1);
  }
  return text.substr(0, end);
}

}  // namespace

std::string error_document(const Error& error) {
  return error_document(exit_code(error.code), error.message, std::max(error.rank, 0));
}

std::string error_document(int code, const std::string& message, int rank) {
  nlohmann::ordered_json document;
  document["error"] = {{"code", code}, {"message", message}, {"rank", rank}};
  // Arguments and names may be no UTF-8; the document always is.
  return printed_json(document);
}

std::string error_message(const Error& error, const TextStyle& style) {
  std::string text = fmt::format(
      "shardmark: {}error:{} {}{}", style.colour ? "\033[1;31m" : "", style.colour ? "\033[0m" : "",
      error.rank < 0 ? "" : fmt::format("rank {}: ", error.rank), readable(error.message));
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  const int width = std::min(style.width.value_or(max_columns), max_columns);
  const std::string narrow = wrapped(first_lines(text), width, 2);
  if (first_lines(narrow) == narrow) {
    return narrow + "\n";
  }
  return first_lines(wrapped(first_lines(text), max_columns, 2)) + "\n";
}

}  // namespace shardmark::bench
