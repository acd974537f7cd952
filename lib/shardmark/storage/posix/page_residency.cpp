// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/page_residency.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

// Mapped piece by piece: the address space of a large file is cheap, one vector of its pages is
// not.
constexpr std::int64_t mapped_window_bytes = std::int64_t{1} << 30;

Status count_pages(const FileDescriptor& file, const FileRange& range, Residency& residency) {
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  const std::int64_t end = range.offset + range.num_bytes;
  std::vector<unsigned char> resident;
  for (std::int64_t at = round_down(range.offset, page); at < end; at += mapped_window_bytes) {
    const auto length = static_cast<std::size_t>(std::min(mapped_window_bytes, end - at));
    void* window = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.get(), at);
    if (window == MAP_FAILED) {
      return errno_error("cannot map", range.path, errno);
    }
    resident.resize((length + static_cast<std::size_t>(page) - 1) / static_cast<std::size_t>(page));
    const int failed = ::mincore(window, length, resident.data());
    const int error_number = errno;
    ::munmap(window, length);
    if (failed != 0) {
      return errno_error("cannot ask the residency of", range.path, error_number);
    }
    residency.pages += static_cast<std::int64_t>(resident.size());
    residency.resident_pages += std::count_if(resident.begin(), resident.end(),
                                              [](unsigned char p) { return (p & 1U) != 0; });
  }
  return {};
}

}  // namespace

Result<Residency> page_residency(std::span<const FileRange> ranges) {
  Residency residency;
  FileDescriptor file;
  const std::string* open_path = nullptr;
  for (const FileRange& range : ranges) {
    if (range.num_bytes == 0) {
      continue;
    }
    if (open_path == nullptr || *open_path != range.path) {
      SHARDMARK_ASSIGN_OR_RETURN(file, open_file(range.path, O_RDONLY));
      open_path = &range.path;
      struct stat info {};
      // It calls every page of such a file resident, lest one user learn what another reads.
      if (::fstat(file.get(), &info) == 0 && info.st_uid != ::geteuid() && ::geteuid() != 0 &&
          ::access(range.path.c_str(), W_OK) != 0) {
        return Error{
            ErrorCode::unsupported,
            fmt::format("what is in memory of {}, of another user, is not told", range.path)};
      }
    }
    SHARDMARK_RETURN_IF_ERROR(count_pages(file, range, residency));
  }
  return residency;
}

Status drop_cached_pages(std::span<const FileRange> ranges) {
  std::set<std::string_view> paths;
  for (const FileRange& range : ranges) {
    if (!paths.insert(range.path).second) {
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(range.path, O_RDONLY));
    if (::fsync(file.get()) != 0) {
      return errno_error("cannot fsync", range.path, errno);
    }
    if (const int failed = ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED); failed != 0) {
      return errno_error("cannot drop cached pages of", range.path, failed);
    }
  }
  return {};
}

}  // namespace shardmark
