// SPDX-License-Identifier: Apache-2.0
#include "bench/interposed/recorded_calls.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <vector>

#include "bench/interposed/watched_calls.hpp"

namespace shardmark::interposed {
namespace {

/// Before path, other and data of each call, little-endian as this machine's.
struct Header {
  std::uint32_t done;
  std::uint32_t path_size;
  std::uint32_t other_size;
  std::uint32_t mode;
  std::uint64_t begin_ns;
  std::uint64_t end_ns;
  std::uint64_t inode;
  std::int64_t a;
  std::int64_t b;
  std::uint64_t num_bytes;
};

const std::string& record_file() {
  static const std::string& path = [&]() -> const std::string& {
    const std::string folder = variable("SHARDMARK_TORTURE_RECORD");
    utsname host{};
    ::uname(&host);
    return *kept(folder.empty() ? folder
                                : folder + "/" + host.nodename + "." + std::to_string(::getpid()));
  }();
  return path;
}

}  // namespace

bool is_recording() {
  return !record_file().empty();
}

void record(const Call& call) {
  const Header header{static_cast<std::uint32_t>(call.done),
                      static_cast<std::uint32_t>(call.path.size()),
                      static_cast<std::uint32_t>(call.other.size()),
                      call.mode,
                      call.begin_ns,
                      now_ns(),
                      call.inode,
                      call.a,
                      call.b,
                      call.num_bytes};
  std::vector<char> bytes(sizeof header + call.path.size() + call.other.size() + call.num_bytes);
  char* to = bytes.data();
  const auto put = [&](const void* from, std::size_t size) {
    if (size > 0) {
      std::memcpy(to, from, size);
      to += size;
    }
  };
  put(&header, sizeof header);
  put(call.path.data(), call.path.size());
  put(call.other.data(), call.other.size());
  put(call.data, call.num_bytes);
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  append_to(record_file(), bytes.data(), bytes.size());
}

std::uint64_t inode_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

}  // namespace shardmark::interposed
