// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

/// In a partial checkpoint: who writes it, locked while they live.
inline constexpr const char* owner_file_name = "owner";

/// Local. Makes and locks `path`/owner. Nothing if somebody else got the lock, or the directory, in
/// between.
Result<std::optional<FileDescriptor>> take_ownership(const std::string& path);

/// Local. Errors: already_exists if `to` is there, io_error. `directory` holds both.
Status rename_without_replacing(const std::string& directory, const std::string& from,
                                const std::string& to);

/// Local. Not through a link.
bool is_real_directory(const std::string& path);

/// Local. Renames a committed step's directory to the name of a partial one, owned by this process,
/// so that it is no checkpoint any more and a save sweeps it once this process is gone. Returns the
/// new path; nothing if `path` is no step that is there.
std::optional<std::string> hide_checkpoint(const std::string& path);

}  // namespace shardmark
