// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD: writes of one rank to HDF5 files fail, stop short, hang, or are lost without a
// word.
//   SHARDMARK_TEST_FAIL_RANK   the rank, as the launcher counts
//   SHARDMARK_TEST_FAIL_MODE   EIO, ENOSPC, drop: success is claimed and the bytes are gone, or
//   short:
//                              every write of more than a byte does half of it and says so; or
//                              slow: each takes SHARDMARK_TEST_WRITE_MS longer; stop: the process
//                              stops itself at the first; hang: none ever comes back
//   SHARDMARK_TEST_FAIL_AFTER  bytes that still reach the file (default 0)
//   SHARDMARK_TEST_HIT         a file that is made once a write was meddled with
//   SHARDMARK_TEST_DIRECT_ERRNO  writes past the page cache fail so, though the open did not
//   SHARDMARK_TEST_FLOCK_ERRNO   locks fail so
//   SHARDMARK_TEST_THREADS       so many threads the system gives to the C++ of the rank
//                                SHARDMARK_TEST_THREADS_RANK, no more
//   SHARDMARK_TEST_NO_MEMORY     the so manieth allocation of 64 KiB and more by a thread beside
//   the
//                                main one fails, on the rank SHARDMARK_TEST_NO_MEMORY_RANK
//   SHARDMARK_TEST_PLAIN_FILES if set, on every rank: no holes are seen and no space is reserved
// And calls that some file systems do not have, or that break off, on every rank:
//   SHARDMARK_TEST_FLOCK_ERRNO, _RENAMEAT2_ERRNO, _STATVFS_ERRNO   what they fail with
//   SHARDMARK_TEST_FSYNC_FOLDER_ERRNO  likewise, of folders; SHARDMARK_TEST_FSYNC_FOLDER_AFTER: the
//   first so many work SHARDMARK_TEST_READDIR_STOP  a listing breaks off with ESTALE after so many
//   names that begin with "step-"
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>

namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// This process's rank, as its launcher says.
std::string_view rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) {
    if (!variable(name).empty()) {
      return variable(name);
    }
  }
  return {};
}

bool is_hdf5_file(int fd) {
  std::array<char, 64> link{};
  std::array<char, 4096> target{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link.data(), target.data(), target.size());
  return length > 0 &&
         std::string_view(target.data(), static_cast<std::size_t>(length)).ends_with(".h5");
}

/// Sets errno to what the variable says; false without it.
bool refuses(const char* name) {
  if (variable(name).empty()) {
    return false;
  }
  errno = std::atoi(variable(name).data());
  return true;
}

bool is_past_cache(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0;
}

/// Before a write: for a while, until somebody goes on with this process, or for ever.
void delay(std::string_view mode) {
  if (mode == "slow") {
    ::usleep(1000U * static_cast<unsigned>(std::atoi(variable("SHARDMARK_TEST_WRITE_MS").data())));
  } else if (mode == "stop") {
    static std::atomic<bool> stopped = false;
    if (!stopped.exchange(true)) {
      ::kill(::getpid(), SIGSTOP);
    }
  } else {
    std::array<int, 2> nobody_writes{};
    char byte = 0;
    if (::pipe(nobody_writes.data()) == 0) {
      static_cast<void>(::read(nobody_writes[0], &byte, 1) + 0);
    }
  }
}

/// So that a test knows whether its fault met anything.
void note_hit() {
  static std::atomic<bool> noted = false;
  const std::string_view file = variable("SHARDMARK_TEST_HIT");
  if (!file.empty() && !noted.exchange(true)) {
    const int fd = ::open(file.data(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ::close(fd);
  }
}

/// What the write shall give: -2 for itself, -1 with errno, or the number of bytes it claims.
ssize_t verdict(int fd, std::size_t num_bytes) {
  if (is_past_cache(fd) && refuses("SHARDMARK_TEST_DIRECT_ERRNO")) {
    return -1;
  }
  static const bool chosen = !variable("SHARDMARK_TEST_FAIL_RANK").empty() &&
                             variable("SHARDMARK_TEST_FAIL_RANK") == rank();
  if (!chosen || variable("SHARDMARK_TEST_FAIL_MODE") == "short" || !is_hdf5_file(fd)) {
    return -2;
  }
  static const std::string_view mode = variable("SHARDMARK_TEST_FAIL_MODE");
  static const long long after = std::atoll(variable("SHARDMARK_TEST_FAIL_AFTER").empty()
                                                ? "0"
                                                : variable("SHARDMARK_TEST_FAIL_AFTER").data());
  static std::atomic<long long> written = 0;
  if (written.fetch_add(static_cast<long long>(num_bytes)) < after) {
    return -2;
  }
  note_hit();
  if (mode == "slow" || mode == "stop" || mode == "hang") {
    delay(mode);
    return -2;
  }
  if (mode == "drop") {
    return static_cast<ssize_t>(num_bytes);
  }
  errno = mode == "ENOSPC" ? ENOSPC : EIO;
  return -1;
}

std::size_t total(const iovec* pieces, int count) {
  std::size_t bytes = 0;
  for (int i = 0; i < count; ++i) {
    bytes += pieces[i].iov_len;
  }
  return bytes;
}

template <typename Return, typename... Args>
Return pass_on(const char* name, Return (*)(Args...), Args... args) {
  const auto next = reinterpret_cast<Return (*)(Args...)>(::dlsym(RTLD_NEXT, name));
  return next(args...);
}

}  // namespace

/// The number of bytes that a short write does, or all.
size_t shortened(int fd, size_t size) {
  static const bool chosen = variable("SHARDMARK_TEST_FAIL_MODE") == "short" &&
                             variable("SHARDMARK_TEST_FAIL_RANK") == rank();
  if (!chosen || size <= 1 || !is_hdf5_file(fd)) {
    return size;
  }
  note_hit();
  return (size + 1) / 2;
}

#define SHARDMARK_WRITE(name, num_bytes, parameters, ...)                                          \
  extern "C" __attribute__((visibility("default"))) ssize_t name parameters {                      \
    const ssize_t given = verdict(fd, num_bytes);                                                  \
    return given != -2 ? given                                                                     \
                       : pass_on(#name, static_cast<ssize_t(*) parameters>(nullptr), __VA_ARGS__); \
  }

SHARDMARK_WRITE(write, size, (int fd, const void* data, size_t size), fd, data, shortened(fd, size))
SHARDMARK_WRITE(pwrite, size, (int fd, const void* data, size_t size, off_t at), fd, data,
                shortened(fd, size), at)
SHARDMARK_WRITE(pwrite64, size, (int fd, const void* data, size_t size, off64_t at), fd, data,
                shortened(fd, size), at)
SHARDMARK_WRITE(writev, total(pieces, count), (int fd, const iovec* pieces, int count), fd, pieces,
                count)
SHARDMARK_WRITE(pwritev, total(pieces, count), (int fd, const iovec* pieces, int count, off_t at),
                fd, pieces, count, at)
SHARDMARK_WRITE(pwritev64, total(pieces, count),
                (int fd, const iovec* pieces, int count, off64_t at), fd, pieces, count, at)

extern "C" __attribute__((visibility("default"))) off_t lseek(int fd, off_t at, int whence) {
  if (whence == SEEK_HOLE && !variable("SHARDMARK_TEST_PLAIN_FILES").empty()) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 ? info.st_size : -1;
  }
  return pass_on("lseek", static_cast<off_t (*)(int, off_t, int)>(nullptr), fd, at, whence);
}

extern "C" __attribute__((visibility("default"))) int fallocate(int fd, int mode, off_t at,
                                                                off_t size) {
  if (!variable("SHARDMARK_TEST_PLAIN_FILES").empty()) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return pass_on("fallocate", static_cast<int (*)(int, int, off_t, off_t)>(nullptr), fd, mode, at,
                 size);
}

// The struct of the same name is another thing.
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" __attribute__((visibility("default"))) int flock(int fd, int operation) {
  return refuses("SHARDMARK_TEST_FLOCK_ERRNO")
             ? -1
             : pass_on("flock", static_cast<int (*)(int, int)>(nullptr), fd, operation);
}

extern "C" __attribute__((visibility("default"))) int renameat2(int from_folder, const char* from,
                                                                int to_folder, const char* to,
                                                                unsigned flags) {
  return refuses("SHARDMARK_TEST_RENAMEAT2_ERRNO")
             ? -1
             : pass_on("renameat2",
                       static_cast<int (*)(int, const char*, int, const char*, unsigned)>(nullptr),
                       from_folder, from, to_folder, to, flags);
}

extern "C" __attribute__((visibility("default"))) int statvfs(const char* path,
                                                              struct statvfs* info) {
  return refuses("SHARDMARK_TEST_STATVFS_ERRNO")
             ? -1
             : pass_on("statvfs", static_cast<int (*)(const char*, struct statvfs*)>(nullptr), path,
                       info);
}

extern "C" __attribute__((visibility("default"))) int fsync(int fd) {
  static std::atomic<int> left =
      std::atoi(variable("SHARDMARK_TEST_FSYNC_FOLDER_AFTER").empty()
                    ? "0"
                    : variable("SHARDMARK_TEST_FSYNC_FOLDER_AFTER").data());
  struct stat info {};
  const bool folder = !variable("SHARDMARK_TEST_FSYNC_FOLDER_ERRNO").empty() &&
                      ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  if (folder && left.fetch_sub(1) <= 0 && refuses("SHARDMARK_TEST_FSYNC_FOLDER_ERRNO")) {
    return -1;
  }
  return pass_on("fsync", static_cast<int (*)(int)>(nullptr), fd);
}

extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t* thread,
                                                                     const pthread_attr_t* how,
                                                                     void* (*work)(void*),
                                                                     void* with) {
  static std::atomic<int> left = std::atoi(
      variable("SHARDMARK_TEST_THREADS").empty() ? "0" : variable("SHARDMARK_TEST_THREADS").data());
  Dl_info caller{};
  // MPI's and other libraries' own do not count.
  const bool ours = ::dladdr(__builtin_return_address(0), &caller) != 0 &&
                    std::string_view(caller.dli_fname).find("libstdc++") != std::string_view::npos;
  if (ours && !variable("SHARDMARK_TEST_THREADS").empty() &&
      variable("SHARDMARK_TEST_THREADS_RANK") == rank() && left.fetch_sub(1) <= 0) {
    note_hit();
    return EAGAIN;
  }
  return pass_on(
      "pthread_create",
      static_cast<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(nullptr),
      thread, how, work, with);
}

extern "C" __attribute__((visibility("default"))) dirent* readdir(DIR* folder) {
  static std::atomic<int> seen = 0;
  dirent* entry = pass_on("readdir", static_cast<dirent* (*)(DIR*)>(nullptr), folder);
  const std::string_view stop = variable("SHARDMARK_TEST_READDIR_STOP");
  if (entry != nullptr && !stop.empty() &&
      std::string_view(static_cast<const char*>(entry->d_name)).starts_with("step-") &&
      seen.fetch_add(1) >= std::atoi(stop.data())) {
    errno = ESTALE;
    return nullptr;
  }
  return entry;
}

__attribute__((visibility("default"))) void* operator new(std::size_t num_bytes) {
  static std::atomic<int> left = std::atoi(variable("SHARDMARK_TEST_NO_MEMORY").empty()
                                               ? "0"
                                               : variable("SHARDMARK_TEST_NO_MEMORY").data());
  void* const memory = std::malloc(num_bytes);
  const bool fails = num_bytes >= (std::size_t{64} << 10) && ::gettid() != ::getpid() &&
                     !variable("SHARDMARK_TEST_NO_MEMORY").empty() &&
                     variable("SHARDMARK_TEST_NO_MEMORY_RANK") == rank() && left.fetch_sub(1) == 1;
  if (memory == nullptr || fails) {
    note_hit();
    std::free(memory);
    throw std::bad_alloc();
  }
  return memory;
}

__attribute__((visibility("default"))) void operator delete(void* memory) noexcept {
  std::free(memory);
}

__attribute__((visibility("default"))) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
