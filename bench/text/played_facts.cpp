// SPDX-License-Identifier: Apache-2.0
#include "bench/text/played_facts.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace shardmark::bench {

std::map<std::string, std::string> played_facts(const PlayedWorld& played) {
  const auto others = played.world_size - static_cast<std::int64_t>(played.ranks.size());
  return {
      {"world_size", fmt::format("{}", played.world_size)},
      {"ranks", ranks_text(played.ranks)},
      {"measured",
       fmt::format("{}: planning as these ranks, and their own writes and reads, to the byte",
                   describe(played))},
      {"not_there",
       fmt::format("the other {} rank{}: no message from them, no byte of theirs, nobody beside "
                   "whom to write; nothing is extrapolated to them",
                   others, others == 1 ? "" : "s")}};
}

}  // namespace shardmark::bench
