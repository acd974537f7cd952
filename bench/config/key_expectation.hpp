// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/config/config_key_table.hpp"

namespace shardmark::bench {

/// Local. What the key takes, for messages: "true or false".
std::string expectation(const ConfigKey& key);

}  // namespace shardmark::bench
