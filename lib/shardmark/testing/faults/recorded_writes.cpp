// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD: every write into a regular file becomes a line of the file
// $SHARDMARK_TEST_RECORD/PID: "inode offset length direct|cached name", every fsync one that says
// "synced". one_writer_test.py reads them. With SHARDMARK_TEST_STRIPES, the hexadecimal bytes of a
// Lustre layout, every file and folder seems to have it.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

namespace {

std::FILE* record() {
  static std::FILE* const file = [] {
    const char* folder = std::getenv("SHARDMARK_TEST_RECORD");
    const std::string path =
        std::string(folder == nullptr ? "." : folder) + "/" + std::to_string(::getpid());
    return std::fopen(path.c_str(), "w");
  }();
  return file;
}

/// Only files of checkpoints. `how`: nullptr for a write.
void note(int fd, off64_t at, ssize_t done, const char* how = nullptr) {
  if (done <= 0 && how == nullptr) {
    return;
  }
  struct stat info {};
  std::array<char, 64> link{};
  std::array<char, 4096> target{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link.data(), target.data(), target.size() - 1);
  const std::string path(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
      !(path.ends_with(".h5") || path.ends_with(".raw"))) {
    return;
  }
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (record() != nullptr) {
    const bool direct = (::fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    std::fprintf(record(), "%llu %lld %lld %s %s\n", static_cast<unsigned long long>(info.st_ino),
                 static_cast<long long>(at), static_cast<long long>(done),
                 how != nullptr ? how
                 : direct       ? "direct"
                                : "cached",
                 path.substr(path.rfind('/') + 1).c_str());
    std::fflush(record());
  }
}

using PositionedWrite = ssize_t (*)(int, const void*, size_t, off64_t);
using Write = ssize_t (*)(int, const void*, size_t);
using Sync = int (*)(int);
using GetAttribute = ssize_t (*)(const char*, const char*, void*, size_t);

ssize_t recorded_stripes(std::string_view digits, void* value, size_t size) {
  if (size < digits.size() / 2) {
    errno = ERANGE;
    return -1;
  }
  for (std::size_t i = 0; i < digits.size() / 2; ++i) {
    static_cast<unsigned char*>(value)[i] =
        static_cast<unsigned char>(std::stoi(std::string(digits.substr(2 * i, 2)), nullptr, 16));
  }
  return static_cast<ssize_t>(digits.size() / 2);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void* data,
                                                                   size_t size, off64_t at) {
  static const auto next = reinterpret_cast<PositionedWrite>(::dlsym(RTLD_NEXT, "pwrite64"));
  const ssize_t done = next(fd, data, size, at);
  note(fd, at, done);
  return done;
}

extern "C" __attribute__((visibility("default"))) ssize_t pwrite(int fd, const void* data,
                                                                 size_t size, off_t at) {
  return pwrite64(fd, data, size, at);
}

extern "C" __attribute__((visibility("default"))) ssize_t write(int fd, const void* data,
                                                                size_t size) {
  static const auto next = reinterpret_cast<Write>(::dlsym(RTLD_NEXT, "write"));
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  const ssize_t done = next(fd, data, size);
  if (at >= 0) {
    note(fd, at, done);
  }
  return done;
}

extern "C" __attribute__((visibility("default"))) int fsync(int fd) {
  static const auto next = reinterpret_cast<Sync>(::dlsym(RTLD_NEXT, "fsync"));
  const int done = next(fd);
  note(fd, 0, 0, "synced");
  return done;
}

extern "C" __attribute__((visibility("default"))) ssize_t getxattr(const char* path,
                                                                   const char* name, void* value,
                                                                   size_t size) noexcept {
  const char* const stripes = std::getenv("SHARDMARK_TEST_STRIPES");
  if (stripes != nullptr && std::string_view(name) == "lustre.lov") {
    return recorded_stripes(stripes, value, size);
  }
  static const auto next = reinterpret_cast<GetAttribute>(::dlsym(RTLD_NEXT, "getxattr"));
  return next(path, name, value, size);
}
