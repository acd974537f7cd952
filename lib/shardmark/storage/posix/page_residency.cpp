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
#include <vector>

#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

// Of a file, how much is asked for at once: neighbours of a small range, such as the rows of a
// shard, lie in what has been asked for already; of a large range, as much as one vector holds.
constexpr std::int64_t small_window_bytes = std::int64_t{16} << 20;
constexpr std::int64_t large_window_bytes = std::int64_t{1} << 30;

/// What the kernel says of a part of one file.
class Window {
 public:
  Window() : page_(::sysconf(_SC_PAGESIZE)) {}

  /// Another file.
  void forget() noexcept { end_ = begin_ = 0; }

  /// Counts the pages of the range, each range's by itself.
  Status count(const FileDescriptor& file, const FileRange& range, Residency& residency) {
    const std::int64_t end = round_up(range.offset + range.num_bytes, page_);
    for (std::int64_t at = round_down(range.offset, page_); at < end;) {
      if (at < begin_ || at >= end_) {
        SHARDMARK_RETURN_IF_ERROR(move_to(
            file, range.path, at, std::clamp(end - at, small_window_bytes, large_window_bytes)));
      }
      const std::int64_t stop = std::min(end, end_);
      const auto first = resident_.begin() + (at - begin_) / page_;
      const auto last = resident_.begin() + (stop - begin_) / page_;
      residency.pages += last - first;
      residency.resident_pages +=
          std::count_if(first, last, [](unsigned char p) { return (p & 1U) != 0; });
      at = stop;
    }
    return {};
  }

 private:
  Status move_to(const FileDescriptor& file, const std::string& path, std::int64_t begin,
                 std::int64_t num_bytes) {
    forget();
    const auto length = static_cast<std::size_t>(num_bytes);
    void* const mapped = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.get(), begin);
    if (mapped == MAP_FAILED) {
      return errno_error("cannot map", path, errno);
    }
    resident_.resize(length / static_cast<std::size_t>(page_));
    const int failed = ::mincore(mapped, length, resident_.data());
    const int error_number = errno;
    ::munmap(mapped, length);
    if (failed != 0) {
      return errno_error("cannot ask the residency of", path, error_number);
    }
    begin_ = begin;
    end_ = begin + num_bytes;
    return {};
  }

  std::int64_t page_;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::vector<unsigned char> resident_;  // by page of [begin, end)
};

}  // namespace

Result<Residency> page_residency(std::span<const FileRange> ranges) {
  Residency residency;
  FileDescriptor file;
  const std::string* open_path = nullptr;
  Window window;
  for (const FileRange& range : ranges) {
    if (range.num_bytes == 0) {
      continue;
    }
    if (open_path == nullptr || *open_path != range.path) {
      SHARDMARK_ASSIGN_OR_RETURN(file, open_file(range.path, O_RDONLY));
      open_path = &range.path;
      window.forget();
      struct stat info {};
      // It calls every page of such a file resident, lest one user learn what another reads.
      if (::fstat(file.get(), &info) == 0 && info.st_uid != ::geteuid() && ::geteuid() != 0 &&
          ::access(range.path.c_str(), W_OK) != 0) {
        return Error{
            ErrorCode::unsupported,
            fmt::format("what is in memory of {}, of another user, is not told", range.path)};
      }
    }
    SHARDMARK_RETURN_IF_ERROR(window.count(file, range, residency));
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
