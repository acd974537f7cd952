// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "bench/config/config.hpp"
#include "bench/config/config_document.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/plan/merge/played_world.hpp"

namespace shardmark::bench {

/// Local. The ranks of run.world that `num_ranks` launched ones play in save and load; nullopt
/// without run.world. Errors: invalid_argument naming run.play or run.world where they are more, or
/// not as many.
Result<std::optional<PlayedWorld>> played_world(const Config& config, std::int64_t num_ranks);

/// Local. run.play against run.world, which alone says how many ranks there are. Errors:
/// invalid_argument naming both and, where `value` tells it, where run.play was set.
Status check_play(const Config& config, const ConfigValue* value);

}  // namespace shardmark::bench
