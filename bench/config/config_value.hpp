// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace shardmark::bench {

/// Where a value was written, for messages.
struct ConfigOrigin {
  std::string source;  // a file, or the whole text of an override: "--set run.ranks=8"
  int line = 0;        // from 1; 0 where lines mean nothing
};

/// Local. "suites/quick.toml:12", "--set run.ranks=8".
std::string to_string(const ConfigOrigin& origin);

/// A value as it was written, before any key gives it a meaning.
struct ConfigValue {
  using List = std::vector<ConfigValue>;
  struct Member;
  using Table = std::vector<Member>;  // keys ascending
  /// Dates and times, which no key takes.
  struct Other {
    std::string kind;
  };

  std::variant<bool, std::int64_t, double, std::string, List, Table, Other> data;
  ConfigOrigin origin;
};

/// Of a table. Not a std::pair, which clang 14 wants complete where ConfigValue is not yet.
struct ConfigValue::Member {
  std::string key;
  ConfigValue value;
};

/// Local. The value as TOML, on one line: the canonical form.
std::string to_text(const ConfigValue& value);

/// Local. For messages: "the integer 7", "the string \"x\"", "a list". Long values are cut.
std::string describe(const ConfigValue& value);

/// Local. `text` as a basic TOML string, quoted and escaped.
std::string quoted(const std::string& text);

}  // namespace shardmark::bench
