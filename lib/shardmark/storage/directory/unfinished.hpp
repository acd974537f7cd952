// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

namespace shardmark {

// What this process has begun to write and not committed, or wants gone at its end: so that a
// signal can end it and leave no half checkpoint, not even a hidden one, behind. Only what this
// process made itself: partial checkpoints, and folders of runs.

/// Local. Holds off remove_unfinished() while it lives: no step appears after its directory was
/// removed, and none is removed while it is being renamed.
std::unique_lock<std::mutex> hold_unfinished();

/// Local; under hold_unfinished(). Folders; one that is not there yet is no mistake.
/// `owner_descriptor`: of its file `owner`, closed before that is removed; see removal.hpp.
void add_unfinished(const std::string& path, int owner_descriptor = -1);
void forget_unfinished(const std::string& path);

/// Local, for a process that leaves: lets nobody commit any more and takes folders of runs among
/// them, with all their steps, out of sight at once.
void hide_unfinished() noexcept;

/// Local; after hide_unfinished(). Removes them all, which may take as long as their files are
/// large.
void remove_unfinished() noexcept;

/// Local; after hide_unfinished(), for a process whose child removes them: lets go of their owners,
/// so that nothing but the child has them open.
void let_go_of_unfinished() noexcept;

}  // namespace shardmark
