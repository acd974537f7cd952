// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shardmark {

/// Local. Insertions, deletions, replacements and swaps of neighbours between two names.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Local. The name that `name` was probably meant to be: at most a third of its length away (at
/// least 1 edit is forgiven), the first such on a tie; empty if nothing is near.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known);

/// Local. "; did you mean 'ddp'?", or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace shardmark
