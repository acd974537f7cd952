// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace shardmark {

/// Local. Removes a folder that is ours: all else first, then `let_go` is called, which closes the
/// file `owner` (an open one would leave a name behind on NFS), then `owner`, then the folder. True
/// if it is gone. What another process still has open may stay on NFS as ".nfs..." until that
/// process closes it; the folder is then swept later.
bool remove_folder(const std::string& path, const std::function<void()>& let_go = {});

/// Local. True if a folder holds nothing but what NFS keeps for those who have it open, and what
/// ceilings, probes and peers work with.
bool is_used_up(const std::string& path);

/// Local. Removes a folder that is used up, by one look at what it holds: whoever begins to own it
/// meanwhile keeps it. Whether it is gone; nothing if it is not used up.
std::optional<bool> remove_used_up(const std::string& path);

// The folder of a benchmark run, "run-<id>": its steps and partial checkpoints are those whose save
// ids begin with the run's id. What else lies there is somebody's, and stays.

/// Local. The first name that is not the run's; empty if there is none.
std::string foreign_name_in_run(const std::string& path, const std::string& run_id);

/// Local. As remove_folder(), but only of what is the run's; true if the folder is gone.
bool remove_run_folder(const std::string& path, const std::string& run_id,
                       const std::function<void()>& let_go = {});

/// Local. Renames a run's folder out of sight, so that none of its steps can be taken for one any
/// more; not if something in it is somebody else's. Its path afterwards.
std::string hide_run_folder(const std::string& path);

}  // namespace shardmark
