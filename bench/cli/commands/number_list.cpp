// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/number_list.hpp"

#include <fmt/format.h>

#include <charconv>

namespace shardmark::bench {

Result<std::vector<std::int64_t>> parse_numbers(const std::string& option, std::string_view text) {
  std::vector<std::int64_t> values;
  std::string_view rest = text;
  while (!text.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    std::string_view digits = part;
    while (digits.starts_with(' ')) {
      digits.remove_prefix(1);
    }
    while (digits.ends_with(' ')) {
      digits.remove_suffix(1);
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format(
              "{} '{}': found '{}', expected extents from 0 to 2^63 - 1 separated by commas, as in 10,7",
              option, text, part)};
    }
    values.push_back(value);
    if (part.size() == rest.size()) {
      break;
    }
    rest.remove_prefix(part.size() + 1);
  }
  return values;
}

Result<Dims> parse_extents(const std::string& option, std::string_view text) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto values, parse_numbers(option, text));
  auto dims = Dims::from(values);
  if (!dims) {
    return Error{dims.error().code, fmt::format("{} '{}': {}", option, text, dims.error().message)};
  }
  return dims;
}

}  // namespace shardmark::bench
