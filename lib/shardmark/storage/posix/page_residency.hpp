// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Bytes [offset, offset + num_bytes) of a file.
struct FileRange {
  std::string path;
  std::int64_t offset = 0;
  std::int64_t num_bytes = 0;
};

/// Pages of some ranges, and how many of them are in this node's page cache.
struct Residency {
  std::int64_t pages = 0;
  std::int64_t resident_pages = 0;
};

/// What is to be read when a file is proven: what this node's page cache knows of it, or what
/// storage has, for which the pages are dropped before, and after it too: what was read for a proof
/// must not be taken for the file's contents when others have written more.
enum class ReadFrom : std::uint8_t { cache, storage };

/// Local. Asks the kernel (mincore) without touching the pages. Ranges of one file should be
/// ascending. Errors: io_error if a file cannot be opened or mapped; unsupported for one of
/// another user that this one may not write, of which the kernel tells nothing.
Result<Residency> page_residency(std::span<const FileRange> ranges);

/// Local. Writes the files' dirty pages back and asks the kernel to drop them (fsync, then
/// POSIX_FADV_DONTNEED). What really left the cache only page_residency tells.
Status drop_cached_pages(std::span<const FileRange> ranges);

}  // namespace shardmark
