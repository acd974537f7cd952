// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/config/config_value.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. "model", "parallel", ...: the sections that hold keys, in canonical order.
std::vector<std::string_view> config_sections();

/// Local. "section.key" of every key, in canonical order.
std::vector<std::string_view> config_keys();

/// Local. Errors: invalid_argument naming the nearest known key, for one that does not exist.
Status check_key(const std::string& key, const ConfigOrigin& origin);

/// Local. Gives a known key its value. Errors: invalid_argument (type, range, unknown name), naming
/// origin, key, what was found and what was expected.
Status assign(Config& config, const std::string& key, const ConfigValue& value);

/// Local. The value of a known key as TOML; empty if the key is left out.
std::string value_text(const Config& config, std::string_view key);

}  // namespace shardmark::bench
