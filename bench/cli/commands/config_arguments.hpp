// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace shardmark::bench {

/// CONFIG and --set, as given: for read_config().
struct ConfigArguments {
  std::string config;
  std::vector<std::string> overrides;
};

}  // namespace shardmark::bench
