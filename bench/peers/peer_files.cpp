// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_files.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "shardmark/storage/posix/file.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

// cachestat(2), the same number on every architecture; the C library may not know it yet.
constexpr long cachestat_number = 451;

struct CacheStatRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // to the end
};

struct CacheStat {
  std::uint64_t cached = 0;
  std::uint64_t dirty = 0;
  std::uint64_t under_writeback = 0;
  std::uint64_t evicted = 0;
  std::uint64_t recently_evicted = 0;
};

/// Of the first `length` bytes. Space that was only reserved is a hole.
std::int64_t data_bytes_of(int file, std::int64_t length) {
  std::int64_t sum = 0;
  for (off_t at = 0; at < length;) {
    const off_t data = ::lseek(file, at, SEEK_DATA);
    if (data < 0) {
      return errno == ENXIO ? sum : length;  // none any more; or a file system that cannot tell
    }
    const off_t hole = ::lseek(file, data, SEEK_HOLE);
    if (hole <= data) {
      return length;
    }
    sum += hole - data;
    at = hole;
  }
  return sum;
}

}  // namespace

Result<PeerFiles> files_below(const std::string& directory) {
  PeerFiles files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename().string().starts_with(".peer-") && it->is_directory(error)) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(error) || it->is_symlink(error)) {
      continue;
    }
    const std::string path = it->path().string();
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
    const off_t length = ::lseek(file.get(), 0, SEEK_END);
    files.paths.push_back(path);
    files.num_bytes += length;
    files.data_bytes += data_bytes_of(file.get(), length);
  }
  if (error) {
    return errno_error("cannot list", directory, error.value());
  }
  return files;
}

std::optional<std::int64_t> unsynced_bytes(const std::string& path) {
  const auto file = open_file(path, O_RDONLY);
  if (!file) {
    return std::nullopt;
  }
  CacheStatRange range;
  CacheStat found;
  if (::syscall(cachestat_number, file->get(), &range, &found, 0) != 0) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(found.dirty + found.under_writeback) * ::sysconf(_SC_PAGESIZE);
}

}  // namespace shardmark::bench
