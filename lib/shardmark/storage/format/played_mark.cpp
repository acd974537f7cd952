// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/played_mark.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <span>
#include <system_error>

#include "shardmark/core/checksum.hpp"

namespace shardmark {
namespace {

constexpr std::string_view first_mark_line = "shardmark played save\n";
constexpr std::string_view hash_key = "\nplayed_xxh3 ";

/// The value of the line "key value" that comes next; empty where another one does.
std::string_view take_value(std::string_view& rest, std::string_view key) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos || !rest.starts_with(key) || end <= key.size() ||
      rest[key.size()] != ' ') {
    return {};
  }
  const std::string_view value = rest.substr(key.size() + 1, end - key.size() - 1);
  rest.remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string to_text(const PlayedMark& mark) {
  std::string text(first_mark_line);
  text += fmt::format("world {}\nranks {}\nparts {}\n", mark.world.world_size,
                      ranks_text(mark.world.ranks),
                      mark.parts == PlayedParts::held ? "held" : "shares");
  text += to_text(mark.record);
  text += fmt::format("{}{:016x}\n", hash_key.substr(1), xxh3(std::as_bytes(std::span(text))));
  return text;
}

bool is_played_mark(std::string_view text) noexcept {
  return text.starts_with(first_mark_line);
}

Result<PlayedMark> parse_played_mark(const std::string& text, const std::string& path) {
  const Error damaged{ErrorCode::data_loss,
                      fmt::format("{}: not what a played save writes, or damaged", path)};
  if (!is_played_mark(text)) {
    return damaged;
  }
  std::string_view rest = std::string_view(text).substr(first_mark_line.size());
  PlayedMark mark;
  const std::string_view world = take_value(rest, "world");
  const auto [stop, error] =
      std::from_chars(world.data(), world.data() + world.size(), mark.world.world_size);
  auto ranks = parse_ranks(take_value(rest, "ranks"));
  const std::string_view parts = take_value(rest, "parts");
  const std::size_t last = rest.rfind(hash_key);
  if (error != std::errc() || stop != world.data() + world.size() || !ranks ||
      last == std::string_view::npos) {
    return damaged;
  }
  mark.world.ranks = std::move(*ranks);
  mark.parts = parts == "held" ? PlayedParts::held : PlayedParts::shares;
  SHARDMARK_ASSIGN_OR_RETURN(mark.record,
                             parse_commit_record(std::string(rest.substr(0, last + 1)), path));
  // Written again it must be the same bytes, which checks the hash with all else.
  return to_text(mark) == text ? Result<PlayedMark>(std::move(mark)) : Result<PlayedMark>(damaged);
}

}  // namespace shardmark
