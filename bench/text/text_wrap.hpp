// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shardmark::bench {

/// Local. `text` with line breaks at spaces, so that lines have at most `width` characters where
/// words allow it; what follows a break of ours starts with `indent` spaces. Line breaks of the
/// text stay. No width: the text as it is.
std::string wrapped(std::string_view text, std::optional<int> width, int indent = 0);

}  // namespace shardmark::bench
