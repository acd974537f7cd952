// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/placement.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace shardmark {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

template <typename Int>
std::optional<Int> parse_int(std::string_view text) {
  text = trimmed(text);
  Int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<Placement> parse_one(std::string_view text) {
  if (text == "R") {
    return Placement::replicate();
  }
  if (text == "P") {
    return Placement::partial();
  }
  const bool strided = text.starts_with("SS(");
  if ((!strided && !text.starts_with("S(")) || !text.ends_with(')')) {
    return std::nullopt;
  }
  std::string_view inside = text.substr(strided ? 3 : 2);
  inside.remove_suffix(1);
  if (!strided) {
    const auto dim = parse_int<std::int32_t>(inside);
    return dim ? std::optional(Placement::shard(*dim)) : std::nullopt;
  }
  const std::size_t comma = inside.find(',');
  if (comma == std::string_view::npos) {
    return std::nullopt;
  }
  const auto dim = parse_int<std::int32_t>(inside.substr(0, comma));
  const auto factor = parse_int<std::int64_t>(inside.substr(comma + 1));
  if (!dim || !factor || *factor < 1) {
    return std::nullopt;
  }
  return Placement::strided_shard(*dim, *factor);
}

}  // namespace

std::string to_string(const Placement& placement) {
  switch (placement.kind) {
    case PlacementKind::replicate:
      return "R";
    case PlacementKind::shard:
      return fmt::format("S({})", placement.dim);
    case PlacementKind::strided_shard:
      return fmt::format("SS({},{})", placement.dim, placement.split_factor);
    case PlacementKind::partial:
      return "P";
  }
  return "?";
}

Result<std::vector<Placement>> parse_placements(std::string_view text) {
  std::vector<Placement> placements;
  std::string_view rest = trimmed(text);
  while (!rest.empty()) {
    // The comma inside SS(d,k) does not separate placements.
    std::size_t end = 0;
    for (int depth = 0; end < rest.size() && (depth > 0 || rest[end] != ','); ++end) {
      depth += rest[end] == '(' ? 1 : rest[end] == ')' ? -1 : 0;
    }
    const std::string_view part = trimmed(rest.substr(0, end));
    const auto placement = parse_one(part);
    if (!placement) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("placement '{}': expected R, P, S(d) or SS(d,k) with k >= 1", part)};
    }
    placements.push_back(*placement);
    const bool comma = end < rest.size();
    rest = comma ? rest.substr(end + 1) : std::string_view();
    if (comma && trimmed(rest).empty()) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("placements '{}' end in a comma", text)};
    }
  }
  return placements;
}

}  // namespace shardmark
