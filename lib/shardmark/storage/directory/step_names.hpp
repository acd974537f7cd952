// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shardmark {

inline constexpr std::int64_t max_step = 99'999'999;

/// "step-00000012".
std::string step_name(std::int64_t step);

/// Local. The step of such a name; nullopt for any other text.
std::optional<std::int64_t> step_of_name(std::string_view name);

/// Local. ".step-NNNNNNNN.partial-<hex>": a save under way, or what one left.
bool is_partial_name(std::string_view name);

/// Local. Such a name.
std::string partial_name(std::int64_t step, std::string_view save_id);

/// Local. A name for a save that nobody else has: 32 hex digits from the kernel's random source.
std::string make_save_id();

}  // namespace shardmark
