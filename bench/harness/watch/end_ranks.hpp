// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/harness/watch/watch_board.hpp"

namespace shardmark::bench {

/// What a run that is past its deadline leaves with.
inline constexpr int late_exit_code = 3;

/// What tells a rank to leave, once its place on the board says so.
int leave_signal() noexcept;

/// The watcher's last act, never returns: tells all ranks of its node to leave with
/// late_exit_code, and kills those that do not. `message` and the lowest late rank are for the JSON
/// document, where there is one. A launcher ends ranks itself once one has left; where none does,
/// and where a rank is stopped, this process sees to it.
[[noreturn]] void end_ranks(WatchBoard& board, const std::string& message, int late_rank);

}  // namespace shardmark::bench
