// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

namespace shardmark::bench {

/// Local; once, before MPI starts, so that its threads inherit the blocked signals. From then on
/// SIGINT, SIGTERM and SIGHUP end this process cleanly from a thread of its own, wherever the
/// others stand: rank 0 removes what is unfinished (storage/unfinished.hpp), says so in one message
/// and leaves with exit code 1; the other ranks leave after it. Where storage answers nothing for
/// seconds, it says that what is unfinished stays, and leaves all the same. On SIGUSR1 it says on
/// stderr where this rank is (activity.hpp) and goes on. The watcher's word (end_ranks.hpp) ends it
/// with exit code 3: rank 0 puts away what is unfinished, as far as storage lets it in a second.
void watch_for_interruption(bool is_root);

/// Local. From here on a signal ends this process with `exit_code` and says nothing: all is said
/// and done, and a launcher that ends the job over another rank's exit code is no interruption.
void after_interruption_leave_with(int exit_code) noexcept;

/// Local, on rank 0, around the writing of results: an interruption waits for it some seconds, and
/// once one has begun this never returns. So no result speaks of files that the interruption took
/// away.
std::unique_lock<std::mutex> hold_results();

/// Local. What the message ends with: where results so far lie.
void on_interruption_say(const std::string& text);

}  // namespace shardmark::bench
