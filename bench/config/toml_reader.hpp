// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "bench/config/config_value.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. A TOML file's table. Errors: not_found if it cannot be opened; invalid_argument naming
/// file, line and column for what is no TOML.
Result<ConfigValue> read_toml_file(const std::string& path);

/// Local. As read_toml_file, of a text; `source` names it in messages.
Result<ConfigValue> parse_toml(std::string_view text, const std::string& source);

/// Local. The right side of an override: a TOML value if it is one, else the text as a string.
ConfigValue parse_override_value(std::string_view text, const ConfigOrigin& origin);

}  // namespace shardmark::bench
