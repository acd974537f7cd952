// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Some ranks of a bigger world, played by the processes of a smaller one: process i plays
/// `ranks[i]`. Nobody plays the others.
struct PlayedWorld {
  std::int64_t world_size = 0;
  std::vector<int> ranks;  // ascending

  friend bool operator==(const PlayedWorld&, const PlayedWorld&) = default;
};

/// What is saved of a played rank.
enum class PlayedParts : std::uint8_t {
  shares,  // what it writes in its own world
  held,    // all that it holds, once among the played: what its load reads
};

/// Local. "0-3,256-259".
std::string ranks_text(std::span<const int> ranks);
/// Local. "ranks 0-3,256-259 of 512".
std::string describe(const PlayedWorld& played);

/// Local. Reads what ranks_text() writes; blanks are not taken. Errors: invalid_argument saying
/// what is wrong: no number, a run that goes backwards, ranks that repeat or do not ascend.
Result<std::vector<int>> parse_ranks(std::string_view text);

}  // namespace shardmark
