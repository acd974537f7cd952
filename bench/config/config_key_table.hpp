// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/config/config.hpp"

namespace shardmark::bench {

/// The member that a key sets.
using KeyTarget =
    std::variant<bool*, std::int64_t*, std::string*, std::optional<std::int64_t>*,
                 std::optional<double>*, std::optional<Dtype>*, std::vector<std::string>*,
                 std::map<std::string, std::string>*, std::map<std::string, RulePlacements>*>;

/// What a key takes.
enum class KeyForm {
  boolean,
  integer,       // minimum to maximum
  degree,        // -1 or at least 1
  share,         // above 0 to 1
  text,          // not empty
  choice,        // one of `choices`
  choice_list,   // at least one of `choices`, none twice
  byte_size,     // minimum or more
  auto_size,     // "auto", or minimum or more
  auto_seconds,  // "auto", or more than 0
  dtype,
  hints,
  rank_list,  // "0-3,7"
  traits,     // of a file system
  rules,      // placements by glob
};

/// What there is to say of a key.
struct ConfigKey {
  std::string_view name;
  std::string_view about;  // for people, one line
  KeyForm form;
  KeyTarget (*target)(Config&);
  std::vector<std::string_view> choices = {};
  std::string_view auto_means = {};  // what "auto" of a choice stands for; itself
  std::int64_t minimum = 0;
  std::int64_t maximum = std::numeric_limits<std::int64_t>::max();
  std::int64_t multiple_of = 1;
};

/// Local. Every key, section by section.
const std::vector<ConfigKey>& config_key_table();

/// Local. nullptr if there is no such key.
const ConfigKey* find_config_key(std::string_view name);

}  // namespace shardmark::bench
