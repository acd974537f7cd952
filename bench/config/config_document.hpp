// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "bench/config/config_value.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// A configuration with its included pieces and overrides put together: every key is known, no
/// value is checked yet.
struct ConfigDocument {
  std::string path;                                // the file that CONFIG meant
  std::map<std::string, ConfigValue> values;       // by "section.key"
  std::map<std::string, ConfigValue::List> sweep;  // by "section.key"; no list is empty
};

/// Local. Reads CONFIG, its includes (later keys win, an includer's over its pieces') and then
/// `overrides`, each "section.key=value"; a key that is overridden leaves the sweep.
///
/// Errors: not_found (a file, naming the places tried); invalid_argument naming file, line and key:
/// no TOML, an include cycle, unknown sections and keys with the nearest known one, an override
/// without '='.
Result<ConfigDocument> read_config(const std::string& config,
                                   std::span<const std::string> overrides,
                                   std::span<const std::string> roots);

/// Local. As above, below config_roots().
Result<ConfigDocument> read_config(const std::string& config,
                                   std::span<const std::string> overrides);

}  // namespace shardmark::bench
