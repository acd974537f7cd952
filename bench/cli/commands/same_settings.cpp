// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/same_settings.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "bench/config/config_keys.hpp"
#include "bench/harness/run/same_on_all_ranks.hpp"

namespace shardmark::bench {

Status same_settings_on_all_ranks(const Config& config, const Communicator& comm) {
  std::vector<std::string> settings;
  for (const std::string_view key : config_keys()) {
    if (!key.starts_with("model.") && !key.starts_with("parallel.")) {
      settings.push_back(fmt::format("{} = {}", key, value_text(config, key)));
    }
  }
  return same_on_all_ranks("settings", settings, comm);
}

}  // namespace shardmark::bench
