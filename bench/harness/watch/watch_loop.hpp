// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/watch/watch_board.hpp"

namespace shardmark::bench {

/// The watcher's whole life: looks at the board a few times a second, names late ranks, ends them
/// where it shall. Leaves when the other end of `life_line` is closed.
[[noreturn]] void watch(WatchBoard& board, int life_line);

}  // namespace shardmark::bench
