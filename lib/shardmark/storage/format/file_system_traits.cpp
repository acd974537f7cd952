// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/file_system_traits.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>

#include "shardmark/core/nearest_name.hpp"

namespace shardmark {
namespace {

struct KnownTrait {
  std::string_view name;
  Known FileSystemTraits::*member;
};

constexpr std::array<KnownTrait, 10> known_traits = {
    {{"rename_noreplace", &FileSystemTraits::rename_noreplace},
     {"fsync_folder", &FileSystemTraits::fsync_folder},
     {"fallocate", &FileSystemTraits::fallocate},
     {"seek_hole", &FileSystemTraits::seek_hole},
     {"zeros_kept", &FileSystemTraits::zeros_kept},
     {"o_direct", &FileSystemTraits::o_direct},
     {"coherent", &FileSystemTraits::coherent},
     {"page_residency", &FileSystemTraits::page_residency},
     {"file_numbers", &FileSystemTraits::file_numbers},
     {"prompt_names", &FileSystemTraits::prompt_names}}};

struct IntegerTrait {
  std::string_view name;
  std::int64_t FileSystemTraits::*member;
};

constexpr std::array<IntegerTrait, 2> integer_traits = {
    {{"hole_grain", &FileSystemTraits::hole_grain},
     {"direct_alignment", &FileSystemTraits::direct_alignment}}};

constexpr std::array<std::string_view, 3> known_names = {"not tried", "no", "yes"};
constexpr std::array<std::string_view, 4> lock_names = {"not tried", "none", "node", "everywhere"};

Error wrong_value(std::string_view name, std::string_view value, std::string_view expected) {
  return {ErrorCode::invalid_argument,
          fmt::format("'{}' of a file system: found '{}', expected {}", name, value, expected)};
}

std::optional<double> positive_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 && value < 1e15 ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string_view known_name(Known known) noexcept {
  return known_names[static_cast<std::size_t>(known)];
}

std::string_view lock_reach_name(LockReach reach) noexcept {
  return lock_names[static_cast<std::size_t>(reach)];
}

std::vector<std::pair<std::string, std::string>> trait_values(const FileSystemTraits& traits) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const KnownTrait& trait : known_traits) {
    values.emplace_back(trait.name, known_name(traits.*trait.member));
  }
  values.emplace_back("locks", lock_reach_name(traits.locks));
  for (const IntegerTrait& trait : integer_traits) {
    values.emplace_back(trait.name, fmt::format("{}", traits.*trait.member));
  }
  values.emplace_back("silent_limit_s", fmt::format("{}", traits.silent_limit_s));
  return values;
}

Status assume(FileSystemTraits& traits, std::string_view name, std::string_view value) {
  for (const KnownTrait& trait : known_traits) {
    if (trait.name == name) {
      for (std::size_t i = 0; i < known_names.size(); ++i) {
        if (known_names[i] == value) {
          traits.*trait.member = static_cast<Known>(i);
          return {};
        }
      }
      // As in {coherent = true}.
      if (value == "true" || value == "false") {
        traits.*trait.member = value == "true" ? Known::yes : Known::no;
        return {};
      }
      return wrong_value(name, value, "yes, no or not tried");
    }
  }
  if (name == "locks") {
    for (std::size_t i = 0; i < lock_names.size(); ++i) {
      if (lock_names[i] == value) {
        traits.locks = static_cast<LockReach>(i);
        return {};
      }
    }
    return wrong_value(name, value, "everywhere, node, none or not tried");
  }
  const auto number = positive_number(value);
  for (const IntegerTrait& trait : integer_traits) {
    if (trait.name == name) {
      if (!number) {
        return wrong_value(name, value, "bytes");
      }
      traits.*trait.member = static_cast<std::int64_t>(*number);
      return {};
    }
  }
  if (name == "silent_limit_s") {
    if (!number) {
      return wrong_value(name, value, "seconds");
    }
    traits.silent_limit_s = *number;
    return {};
  }
  std::vector<std::string> texts;
  for (const auto& [known, unused] : trait_values({})) {
    texts.push_back(known);
  }
  const std::vector<std::string_view> names(texts.begin(), texts.end());
  return Error{ErrorCode::invalid_argument,
               fmt::format("'{}' is nothing that a probe finds, expected one of {}{}", name,
                           fmt::join(names, ", "), did_you_mean(name, names))};
}

Status assume(FileSystemTraits& traits, const std::map<std::string, std::string>& values) {
  for (const auto& [name, value] : values) {
    SHARDMARK_RETURN_IF_ERROR(assume(traits, name, value));
  }
  return {};
}

}  // namespace shardmark
