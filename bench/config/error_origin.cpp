// SPDX-License-Identifier: Apache-2.0
#include "bench/config/error_origin.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace shardmark::bench {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/// True if `text` has `word`, no part of a longer one, at or after `from`.
bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) {
      return true;
    }
  }
  return false;
}

/// The written key that a message is about, as "file:line"; empty if there is none.
std::string origin_of(std::string_view message, const Config& config) {
  const auto& written = config.origins.by_key;
  std::size_t end = 0;
  while (end < message.size() && (is_word(message[end]) || message[end] == '.')) {
    ++end;
  }
  if (const auto found = written.find(message.substr(0, end)); found != written.end()) {
    // Of a key on the command line the message begins as the origin would.
    return found->second.starts_with("--set ") ? std::string() : found->second;
  }
  constexpr std::string_view of_degrees = "parallel:";
  if (!message.starts_with(of_degrees)) {
    return {};
  }
  // Several keys do not go together: the first degree of those that somebody wrote.
  for (const char* const degree : {"dp_replicate", "dp_shard", "tp", "pp", "ep"}) {
    const auto found = written.find(std::string("parallel.") + degree);
    if (found != written.end() && has_word(message, degree)) {
      return found->second;
    }
  }
  const auto strategy = written.find("parallel.strategy");
  return strategy == written.end() ? std::string() : strategy->second;
}

}  // namespace

Error with_origin(Error error, const Config& config) {
  if (exit_code(error.code) == 2) {
    if (const std::string origin = origin_of(error.message, config); !origin.empty()) {
      error.message = origin + ": " + error.message;
    }
  }
  return error;
}

Error with_origin(Error error, std::span<const SweepCase> points) {
  const auto knows = [&](const SweepCase& point) {
    return !origin_of(error.message, point.config).empty();
  };
  const auto found = std::ranges::find_if(points, knows);
  return found == points.end() ? error : with_origin(std::move(error), found->config);
}

}  // namespace shardmark::bench
