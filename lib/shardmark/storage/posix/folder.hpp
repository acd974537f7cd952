// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/posix/missing_call.hpp"

namespace shardmark {

/// Local. Names in a folder, ascending, without "." and "..". Errors: not_found if there is no such
/// folder; io_error, also where the listing breaks off.
Result<std::vector<std::string>> list_folder(const std::string& path);

/// Local. Not through a link.
bool is_real_folder(const std::string& path);

/// Local. Makes what happened in a folder durable. Where the file system has no such call it is a
/// notice, not an error.
Status fsync_folder(const std::string& path);

/// Files and their bytes below a path, itself included; what cannot be looked at is left out.
struct FolderSize {
  std::int64_t files = 0;
  std::int64_t num_bytes = 0;
};
FolderSize folder_size(const std::string& path);

/// Local. Whether something with that name, whatever it is, lies in the folder. Errors: io_error
/// where nobody can tell.
Result<bool> holds_name(const std::string& path, std::string_view name);

}  // namespace shardmark
