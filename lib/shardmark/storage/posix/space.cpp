// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/space.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"
#include "shardmark/storage/posix/missing_call.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {

Status check_free_space(const std::string& directory, std::int64_t num_bytes,
                        std::int64_t num_files) {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) {
    if (says_missing(errno)) {
      add_notice("this file system does not say how much space it has left");
      return {};
    }
    return errno_error("cannot statvfs", directory, errno);
  }
  if (info.f_blocks == 0) {
    add_notice("this file system does not say how much space it has left");
    return {};
  }
  const auto free_bytes = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  if (free_bytes < static_cast<double>(num_bytes)) {
    return Error{ErrorCode::no_space,
                 fmt::format("no space in {}: the checkpoint needs {} bytes, {:.0f} are free",
                             directory, num_bytes, free_bytes)};
  }
  // Some make files as they need them, and count none.
  if (info.f_files != 0 && info.f_favail < static_cast<fsfilcnt_t>(num_files)) {
    return Error{ErrorCode::no_space,
                 fmt::format("no files left in {}: the checkpoint needs {}, {} are free", directory,
                             num_files, info.f_favail)};
  }
  return {};
}

Status check_file_size_limit(const std::string& path, std::int64_t num_bytes) {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) {
    return errno_error("cannot read the file size limit for", path, errno);
  }
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < static_cast<rlim_t>(num_bytes)) {
    return Error{
        ErrorCode::no_space,
        fmt::format(
            "{} needs {} bytes, this process may write files of {} (RLIMIT_FSIZE, ulimit -f)", path,
            num_bytes, limit.rlim_cur)};
  }
  return {};
}

namespace {

/// fallocate; false where the file system has none.
Result<bool> allocate(const std::string& path, int mode, std::int64_t begin,
                      std::int64_t num_bytes) {
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_WRONLY));
  while (num_bytes > 0 && ::fallocate(file.get(), mode, begin, num_bytes) != 0) {
    if (says_missing(errno)) {
      return false;
    }
    if (errno != EINTR) {
      return errno_error(fmt::format("cannot reserve {} bytes for", num_bytes), path, errno);
    }
  }
  return true;
}

}  // namespace

Result<bool> reserve_space(const std::string& path, std::int64_t num_bytes, std::int64_t to_come) {
  SHARDMARK_ASSIGN_OR_RETURN(const bool reserved, allocate(path, 0, 0, num_bytes));
  if (!reserved) {
    return false;
  }
  return allocate(path, FALLOC_FL_KEEP_SIZE, num_bytes, to_come);
}

Result<bool> reserve_ranges(const std::string& path, std::span<const FileRange> ranges) {
  for (const FileRange& range : ranges) {
    if (range.num_bytes < least_reserved_bytes) {
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(const bool reserved,
                               allocate(path, FALLOC_FL_KEEP_SIZE, range.offset, range.num_bytes));
    if (!reserved) {
      return false;
    }
  }
  return true;
}

Result<std::int64_t> allocated_bytes(const std::string& directory,
                                     std::span<const std::string> names) {
  constexpr std::int64_t block_bytes = 512;  // of st_blocks, whatever the file system's
  std::int64_t num_bytes = 0;
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      return errno_error("cannot stat", path, errno);
    }
    num_bytes += static_cast<std::int64_t>(info.st_blocks) * block_bytes;
  }
  return num_bytes;
}

Status release_reserve(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(path));
  return ::truncate(path.c_str(), size) == 0 ? Status()
                                             : Status(errno_error("cannot truncate", path, errno));
}

Result<bool> can_detect_holes(const std::string& path, std::int64_t unwritten_offset) {
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  // The element may share its page with written metadata: ask at the next page.
  const std::int64_t at = round_up<std::int64_t>(unwritten_offset, ::sysconf(_SC_PAGESIZE));
  return ::lseek(file.get(), at, SEEK_HOLE) == at;
}

Result<bool> is_without_holes(const std::string& path, std::span<const FileRange> ranges) {
  if (ranges.empty()) {
    return true;
  }
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  const std::int64_t end = ranges.back().offset + ranges.back().num_bytes;
  auto range = ranges.begin();
  for (std::int64_t at = ranges.front().offset; at < end;) {
    const std::int64_t hole = ::lseek(file.get(), at, SEEK_HOLE);
    if (hole < 0) {
      return false;  // the file ends before it, or nobody can tell
    }
    if (hole >= end) {
      return true;
    }
    const std::int64_t data = ::lseek(file.get(), hole, SEEK_DATA);
    const std::int64_t hole_end = data < 0 ? end : data;
    // Padding between datasets is never written and may stay a hole.
    range = std::find_if(range, ranges.end(), [&](const FileRange& r) {
      return r.num_bytes > 0 && r.offset + r.num_bytes > hole;
    });
    if (range != ranges.end() && range->offset < hole_end) {
      return false;
    }
    at = hole_end;
  }
  return true;
}

}  // namespace shardmark
