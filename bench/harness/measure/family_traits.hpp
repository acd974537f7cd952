// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace shardmark::bench {

/// What a case's results are held against.
enum class Comparison : std::uint8_t {
  none,
  with_ceilings,     // its rate is given as a share of them, its counts have a table of their own
  is_ceiling,        // it is what others are held against
  is_peer,           // another engine, beside what is held against ceilings
  with_same_layout,  // its time is given over that of the same bytes in their own layout
};

/// What the cases of a family have in common. Nobody asks for a family by name; a family states
/// what it is.
struct FamilyTraits {
  /// Sections of the configuration, or single keys.
  using Keys = std::array<std::string_view, 3>;

  std::string_view name = {};
  bool moves_bytes = false;    // has a rate
  bool has_files = false;      // below storage.directory, so it needs real ranks
  bool uses_back_end = false;  // its files are a back end's, in a file layout and by an I/O mode
  bool is_played = false;      // with run.world its ranks are some of that world's
  bool reads_given = false;    // load.from names files that take the place of its own
  Comparison comparison = Comparison::none;
  Keys keys =
      {};  // what changes its cases beside model and parallel; others would only repeat them

  /// Local. Whether `key` changes a case of this family.
  bool concerns(std::string_view key) const { return concerns(keys, key); }
  static bool concerns(const Keys& keys, std::string_view key) {
    const std::string_view section = key.substr(0, key.find('.'));
    return section == "model" || section == "parallel" ||
           std::ranges::any_of(keys, [&](std::string_view each) {
             return !each.empty() && (each == section || each == key);
           });
  }
};

/// What decides how much a ceiling moves, and where, beside model and parallel.
inline constexpr FamilyTraits::Keys ceiling_keys = {"planner", "storage.directory"};

}  // namespace shardmark::bench
