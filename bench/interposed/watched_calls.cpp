// SPDX-License-Identifier: Apache-2.0
#include "bench/interposed/watched_calls.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace shardmark::interposed {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string rank_text() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "FLUX_TASK_RANK",
                           "PALS_RANKID", "SLURM_PROCID"}) {
    if (std::string found = variable(name); !found.empty()) {
      return found;
    }
  }
  return {};
}

std::string path_of(int fd) {
  std::array<char, 64> link{};
  std::array<char, 4096> target{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link.data(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

std::string absolute_path(int folder, const char* path) {
  if (path == nullptr || *path == '/') {
    return path == nullptr ? "" : path;
  }
  std::array<char, 4096> current{};
  if (folder != AT_FDCWD) {
    return path_of(folder) + "/" + path;
  }
  const char* found = ::getcwd(current.data(), current.size());
  return std::string(found == nullptr ? "" : found) + "/" + path;
}

bool is_watched(const std::string& path) {
  static const std::string& root = *kept(variable("SHARDMARK_TORTURE_ROOT"));
  return !root.empty() && path.compare(0, root.size(), root) == 0 &&
         (path.size() == root.size() || path[root.size()] == '/');
}

bool is_of_mpi(const void* address) {
  Dl_info found{};
  if (address == nullptr || ::dladdr(address, &found) == 0 || found.dli_fname == nullptr) {
    return false;
  }
  const std::string library = found.dli_fname;
  const std::string name = library.substr(library.rfind('/') + 1);
  return name.starts_with("libmpi") || name.starts_with("libmca_") || name.starts_with("mca_");
}

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void append_to(const std::string& path, const void* data, std::size_t num_bytes) {
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path.c_str(),
                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) {
    return;
  }
  const char* left = static_cast<const char*>(data);
  while (num_bytes > 0) {
    const long done = ::syscall(SYS_write, fd, left, num_bytes);
    if (done <= 0) {
      break;
    }
    left += done;
    num_bytes -= static_cast<std::size_t>(done);
  }
  ::syscall(SYS_close, fd);
}

}  // namespace shardmark::interposed
