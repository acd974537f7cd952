// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. Puts `text` at `path` whole or not at all: a temporary file beside it, then a rename.
/// Errors: io_error, no_space, not_found naming the path.
Status replace_text_file(const std::string& path, std::string_view text);

/// Local. mkdir of the last component; an existing directory is good. Errors: not_found for a
/// missing parent, invalid_argument where something else stands there or it cannot be written.
Status make_directory(const std::string& path, std::string_view option);

}  // namespace shardmark::bench
