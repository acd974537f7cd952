// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

namespace shardmark {

// What this process has begun to write and not committed, or wants gone at its end: so that a
// signal can end it and leave no half checkpoint, not even a hidden one, behind.

/// Local. Holds off remove_unfinished() while it lives: no step appears after its directory was
/// removed, and none is removed while it is being renamed.
std::unique_lock<std::mutex> hold_unfinished();

/// Local; under hold_unfinished(). Directories; one that is not there yet is no mistake.
void add_unfinished(const std::string& path);
void forget_unfinished(const std::string& path);

/// Local, for a process that leaves: lets nobody commit any more and takes committed steps among
/// them out of sight at once, under names that the next save sweeps.
void hide_unfinished() noexcept;

/// Local; after hide_unfinished(). Removes them all, which may take as long as their files are
/// large.
void remove_unfinished() noexcept;

}  // namespace shardmark
