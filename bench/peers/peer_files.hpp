// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// What lies in files, by the file system's own word.
struct PeerFiles {
  std::vector<std::string> paths;
  std::int64_t num_bytes = 0;   // their lengths
  std::int64_t data_bytes = 0;  // of these no holes: what was never written is none
};

/// Local. Every regular file below `directory`, but for folders of an adapter's own, whose names
/// begin with ".peer-". Errors: io_error.
Result<PeerFiles> files_below(const std::string& directory);

/// Local. Bytes of a file that this kernel has in memory and storage has not: 0 after an fsync.
/// nullopt where the kernel does not tell (before Linux 6.5).
std::optional<std::int64_t> unsynced_bytes(const std::string& path);

}  // namespace shardmark::bench
