// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/nearest_name.hpp"

#include <algorithm>
#include <array>

namespace shardmark {
namespace {

constexpr std::size_t longest = 63;

/// Levenshtein's distance, one row at a time.
std::size_t edits(std::string_view a, std::string_view b) noexcept {
  a = a.substr(0, longest);
  b = b.substr(0, longest);
  std::array<std::size_t, longest + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, diagonal + 1, change});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view name,
                              std::span<const std::string_view> known) noexcept {
  std::size_t fewest = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string_view nearest;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edits(name, candidate);
    if (distance < fewest) {
      fewest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> known) {
  const std::string_view nearest = nearest_name(name, known);
  return nearest.empty() ? std::string() : "; did you mean '" + std::string(nearest) + "'?";
}

}  // namespace shardmark
