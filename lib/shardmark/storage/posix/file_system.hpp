// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// What can be relied on in the file system of a directory, by its kind.
struct FileSystemKind {
  /// The kernel that runs us keeps the file system itself: after fsync its page cache and the
  /// storage hold the same.
  bool local = false;
  /// Whoever answers for holes (SEEK_HOLE) knows them by the page. Not where a program of any kind
  /// stands behind it (FUSE).
  bool knows_holes = true;
};

/// Local. Nothing is relied on where the file system cannot be asked.
FileSystemKind file_system_kind(const std::string& directory);

/// Local. The same number for all processes that see `directory` through one page cache: one
/// kernel, one mount. Errors: io_error if it is not there.
Result<std::uint64_t> cache_identity(const std::string& directory);

/// The unit in which two writers of a file can get into each other's way: a page of this machine's
/// memory, at least 4 KiB. With $SHARDMARK_PRETEND_PAGE_BYTES set, of that many bytes: for tests on
/// machines with small ones.
std::int64_t sharing_block() noexcept;

}  // namespace shardmark
