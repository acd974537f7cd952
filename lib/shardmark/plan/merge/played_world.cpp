// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/played_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>

namespace shardmark {
namespace {

constexpr std::size_t most_ranks = std::size_t{1} << 20;

std::optional<int> number_of(std::string_view digits) {
  int number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  const bool right = error == std::errc() && stop == end && !digits.empty() && digits[0] != '-';
  return right ? std::optional(number) : std::nullopt;
}

Error wrong(std::string_view part, std::string_view why) {
  return {ErrorCode::invalid_argument, fmt::format("'{}' {}", part, why)};
}

}  // namespace

std::string ranks_text(std::span<const int> ranks) {
  std::string text;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) {
      ++last;
    }
    text += fmt::format("{}{}", text.empty() ? "" : ",", ranks[i]);
    text += last > i ? fmt::format("-{}", ranks[last]) : std::string();
    i = last + 1;
  }
  return text;
}

std::string describe(const PlayedWorld& played) {
  return fmt::format("rank{} {} of {}", played.ranks.size() == 1 ? "" : "s",
                     ranks_text(played.ranks), played.world_size);
}

Result<std::vector<int>> parse_ranks(std::string_view text) {
  std::vector<int> ranks;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    const std::size_t dash = part.find('-', 1);
    const auto first = number_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number_of(part.substr(dash + 1));
    if (!first || !last) {
      return wrong(part, "is neither a rank nor a run of ranks");
    }
    if (*last < *first) {
      return wrong(part, "goes backwards");
    }
    if (!ranks.empty() && *first <= ranks.back()) {
      return wrong(part,
                   fmt::format("comes after rank {}: ranks ascend, none twice", ranks.back()));
    }
    if (static_cast<std::size_t>(*last) - static_cast<std::size_t>(*first) >=
        most_ranks - ranks.size()) {
      return wrong(part, "makes more ranks than anybody can start");
    }
    for (int rank = *first; rank <= *last; ++rank) {
      ranks.push_back(rank);
    }
    begin = end + 1;
  }
  return ranks;
}

}  // namespace shardmark
