// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "shardmark/plan/merge/played_world.hpp"

namespace shardmark::bench {

/// Local. What every output says of a save or load by some ranks of a bigger world: `world_size`,
/// `ranks`, and in a sentence each what is `measured` and what is `not_there`.
std::map<std::string, std::string> played_facts(const PlayedWorld& played);

}  // namespace shardmark::bench
