// SPDX-License-Identifier: Apache-2.0
#include "bench/config/played_ranks.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <numeric>
#include <utility>

namespace shardmark::bench {

Result<std::optional<PlayedWorld>> played_world(const Config& config, std::int64_t num_ranks) {
  const RunConfig& run = config.run;
  if (run.world == 0) {
    return std::optional<PlayedWorld>();
  }
  PlayedWorld played{run.world, {}};
  if (run.play.empty()) {
    if (num_ranks > run.world) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("run.world = {}: {} ranks were launched, expected at most as many as "
                      "that world has",
                      run.world, num_ranks)};
    }
    played.ranks.resize(static_cast<std::size_t>(num_ranks));
    std::iota(played.ranks.begin(), played.ranks.end(), 0);
    return std::optional(std::move(played));
  }
  SHARDMARK_ASSIGN_OR_RETURN(played.ranks, parse_ranks(run.play));
  if (static_cast<std::int64_t>(played.ranks.size()) != num_ranks) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{}run.play = \"{}\": names {} ranks of a world of {}, and {} were "
                    "launched; expected one for each",
                    run.play_from.text, run.play, played.ranks.size(), run.world, num_ranks)};
  }
  return std::optional(std::move(played));
}

Status check_play(const Config& config, const ConfigValue* value) {
  const RunConfig& run = config.run;
  if (run.play.empty()) {
    return {};
  }
  const std::string where = value == nullptr ? std::string() : to_string(value->origin) + ": ";
  SHARDMARK_ASSIGN_OR_RETURN(const auto ranks, parse_ranks(run.play));
  if (run.world == 0) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}run.play = \"{}\": found no run.world, of which these are ranks",
                             where, run.play)};
  }
  if (ranks.back() >= run.world) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}run.play = \"{}\": found rank {}, expected ranks from 0 to {} "
                             "(run.world = {})",
                             where, run.play, ranks.back(), run.world - 1, run.world)};
  }
  return {};
}

}  // namespace shardmark::bench
