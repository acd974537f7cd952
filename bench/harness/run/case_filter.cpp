// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/case_filter.hpp"

#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <array>

namespace shardmark::bench {
namespace {

constexpr std::size_t most_names_shown = 12;

class Regex {
 public:
  Regex() = default;
  ~Regex() {
    if (compiled_) {
      regfree(&regex_);
    }
  }
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  Status compile(const std::string& text) {
    const int code = regcomp(&regex_, text.c_str(), REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
      std::array<char, 256> reason{};
      regerror(code, &regex_, reason.data(), reason.size());
      return Error{ErrorCode::invalid_argument,
                   fmt::format("--benchmark_filter={}: {}", text, reason.data())};
    }
    compiled_ = true;
    return {};
  }

  bool found_in(const std::string& text) const {
    return regexec(&regex_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t regex_{};
  bool compiled_ = false;
};

std::string first_names(std::span<const std::string> names) {
  const auto shown = names.first(std::min(names.size(), most_names_shown));
  std::string text = fmt::format("{}", fmt::join(shown, ", "));
  if (names.size() > shown.size()) {
    text += fmt::format(" and {} more", names.size() - shown.size());
  }
  return text;
}

}  // namespace

Result<std::vector<std::size_t>> select_cases(std::string_view filter,
                                              std::span<const std::string> names) {
  const bool negated = filter.starts_with('-');
  const std::string expression(negated ? filter.substr(1) : filter);
  Regex regex;
  if (!expression.empty()) {
    SHARDMARK_RETURN_IF_ERROR(regex.compile(expression));
  }
  std::vector<std::size_t> selected;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool found = expression.empty() || regex.found_in(names[i]) ||
                       regex.found_in(names[i] + std::string(name_suffix));
    if (found != negated) {
      selected.push_back(i);
    }
  }
  if (selected.empty()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("--benchmark_filter={}: matches none of the {} cases: {}", filter,
                             names.size(), first_names(names))};
  }
  return selected;
}

}  // namespace shardmark::bench
