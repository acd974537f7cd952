// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/step_names.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <ctime>

namespace shardmark {

std::string step_name(std::int64_t step) {
  return fmt::format("step-{:08}", step);
}

std::optional<std::int64_t> step_of_name(std::string_view name) {
  constexpr std::string_view prefix = "step-";
  if (!name.starts_with(prefix) || name.size() != prefix.size() + 8 ||
      name.find_first_not_of("0123456789", prefix.size()) != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, step);
  return error == std::errc() && stop == end ? std::optional(step) : std::nullopt;
}

bool is_partial_name(std::string_view name) {
  constexpr std::string_view middle = ".partial-";
  if (!name.starts_with('.') || name.size() <= 14 + middle.size()) {
    return false;
  }
  const std::string_view id = name.substr(14 + middle.size());
  return step_of_name(name.substr(1, 13)) && name.substr(14, middle.size()) == middle &&
         id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string partial_name(std::int64_t step, std::string_view save_id) {
  return fmt::format(".{}.partial-{}", step_name(step), save_id);
}

std::string make_save_id() {
  std::array<std::uint64_t, 2> words{};
  if (::getrandom(words.data(), sizeof(words), 0) != static_cast<ssize_t>(sizeof(words))) {
    words = {static_cast<std::uint64_t>(std::time(nullptr)),
             static_cast<std::uint64_t>(::getpid())};
  }
  return fmt::format("{:016x}{:016x}", words[0], words[1]);
}

}  // namespace shardmark
