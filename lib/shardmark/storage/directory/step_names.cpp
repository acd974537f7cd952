// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/step_names.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <ctime>

namespace shardmark {
namespace {

constexpr std::size_t step_name_length = 13;
constexpr std::size_t step_digits = 8;
constexpr std::string_view step_prefix = "step-";
constexpr std::string_view played_prefix = "played-";
constexpr std::string_view partial = ".partial-";
constexpr std::string_view swept = ".swept-";
constexpr std::string_view run_prefix = "run-";
constexpr std::string_view probe_prefix = ".probe-";
constexpr std::size_t run_id_length = 16;

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<std::int64_t> number_after(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix) || name.size() != prefix.size() + step_digits ||
      name.find_first_not_of("0123456789", prefix.size()) != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, step);
  return error == std::errc() && stop == end ? std::optional(step) : std::nullopt;
}

}  // namespace

std::string step_name(std::int64_t step) {
  return fmt::format("{}{:08}", step_prefix, step);
}

std::optional<std::int64_t> step_of_name(std::string_view name) {
  return number_after(step_prefix, name);
}

std::string played_name(std::int64_t step) {
  return fmt::format("{}{:08}", played_prefix, step);
}

std::optional<std::int64_t> step_of_played_name(std::string_view name) {
  return number_after(played_prefix, name);
}

bool is_partial_name(std::string_view name) {
  return name.starts_with('.') && name.size() > 1 + step_name_length + partial.size() &&
         step_of_name(name.substr(1, step_name_length)) &&
         name.substr(1 + step_name_length, partial.size()) == partial &&
         is_hex(save_id_of_partial(name));
}

std::string partial_name(std::int64_t step, std::string_view save_id) {
  return fmt::format(".{}{}{}", step_name(step), partial, save_id);
}

std::string_view save_id_of_partial(std::string_view name) {
  return name.substr(1 + step_name_length + partial.size());
}

std::string run_name(std::string_view run_id) {
  return fmt::format("{}{}", run_prefix, run_id);
}

std::optional<std::string> run_id_of_name(std::string_view name) {
  if (!name.starts_with(run_prefix) || name.size() != run_prefix.size() + run_id_length ||
      !is_hex(name.substr(run_prefix.size()))) {
    return std::nullopt;
  }
  return std::string(name.substr(run_prefix.size()));
}

bool is_probe_name(std::string_view name) {
  return name.starts_with(probe_prefix) && name.size() == probe_prefix.size() + run_id_length &&
         is_hex(name.substr(probe_prefix.size()));
}

std::string probe_name() {
  return fmt::format("{}{}", probe_prefix, make_save_id().substr(0, run_id_length));
}

bool is_swept_name(std::string_view name) {
  const std::size_t at = name.find(swept);
  if (!name.starts_with('.') || at == std::string_view::npos ||
      !is_hex(name.substr(at + swept.size()))) {
    return false;
  }
  const std::string_view was = name.substr(1, at - 1);
  return step_of_name(was) || step_of_played_name(was) || run_id_of_name(was) ||
         is_probe_name(name.substr(0, at));
}

std::string swept_name(std::string_view name) {
  if (name.starts_with('.')) {
    name = name.substr(1, name.find('.', 1) - 1);
  }
  return fmt::format(".{}{}{}", name, swept, make_save_id());
}

std::string make_save_id(std::string_view prefix) {
  std::array<std::uint64_t, 2> words{};
  if (::getrandom(words.data(), sizeof(words), 0) != static_cast<ssize_t>(sizeof(words))) {
    words = {static_cast<std::uint64_t>(::getpid()),
             static_cast<std::uint64_t>(std::time(nullptr))};
  }
  const std::string id = fmt::format("{:016x}{:016x}", words[0], words[1]);
  return fmt::format("{}{}", prefix, std::string_view(id).substr(prefix.size()));
}

}  // namespace shardmark
