// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace shardmark {

/// Local. The known name with the fewest edits (insert, delete, change) from `name`, empty if all
/// are further than a third of its length: for "did you mean ...?".
std::string_view nearest_name(std::string_view name,
                              std::span<const std::string_view> known) noexcept;

/// Local. "; did you mean 'x'?" or nothing: the end of a message about an unknown name.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace shardmark
