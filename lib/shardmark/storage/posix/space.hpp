// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {

/// Local. Errors: no_space if the file system of `directory` has less than `num_bytes`, or fewer
/// than `num_files` files, left. Where it gives no figures nothing is checked.
Status check_free_space(const std::string& directory, std::int64_t num_bytes,
                        std::int64_t num_files = 0);
/// Local. Errors: no_space if this process may not write a file of that size (RLIMIT_FSIZE).
Status check_file_size_limit(const std::string& path, std::int64_t num_bytes);

/// Local. Reserves blocks for the first `num_bytes` of a file (fallocate), so that no later write
/// in it can run out of space, and for `to_come` bytes more, by which the file does not grow yet.
/// True if that is certain, false where the file system cannot reserve. Errors: no_space, io_error.
Result<bool> reserve_space(const std::string& path, std::int64_t num_bytes,
                           std::int64_t to_come = 0);

/// Smaller parts of a file are left to the writer: of thousands of short rows each would be an
/// extent of its own.
inline constexpr std::int64_t least_reserved_bytes = std::int64_t{64} << 10;

/// Local. Likewise for parts of a file from least_reserved_bytes up; it keeps its length.
Result<bool> reserve_ranges(const std::string& path, std::span<const FileRange> ranges);

/// Local. Bytes of the blocks that these files of a folder take, holes not among them.
Result<std::int64_t> allocated_bytes(const std::string& directory,
                                     std::span<const std::string> names);

/// Local. Gives back what was reserved behind the end of a file.
Status release_reserve(const std::string& path);

/// Local. True if this file system tells never-written bytes from zeros (SEEK_HOLE): asked of a
/// byte of `path` that nobody has written yet.
Result<bool> can_detect_holes(const std::string& path, std::int64_t unwritten_offset);

/// Local. True if every page of the ranges (of one file, ascending) has been written by somebody:
/// MPI-IO may report success for bytes that it lost. Call after fsync. False says only that reading
/// must tell: a file system may keep written zeros as a hole, or not answer after all.
Result<bool> is_without_holes(const std::string& path, std::span<const FileRange> ranges);

}  // namespace shardmark
