// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shardmark::bench {

/// A configuration key, for manual pages and completions.
struct KeyReference {
  std::string_view name;           // "section.key"
  std::string_view about;          // what it decides
  std::string type;                // "choice", "integer", ...
  std::string takes;               // the values, as a sentence without its full stop
  std::string fallback;            // the default as TOML; empty: none
  std::vector<std::string> words;  // values that completions can offer; empty: anything
};

/// Local. Every key of the design, in canonical order.
std::vector<KeyReference> config_reference();

}  // namespace shardmark::bench
