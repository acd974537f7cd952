// SPDX-License-Identifier: Apache-2.0
// Calls that open files.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "bench/interposed/faulty_calls.hpp"
#include "bench/interposed/recorded_calls.hpp"
#include "bench/interposed/watched_calls.hpp"

namespace shardmark::interposed {
namespace {

/// What creates or cuts a file is recorded, with the inode that it got.
template <typename Make>
int open_call(int folder, const char* name, int flags, const void* caller, const Make& make) {
  const std::string path = absolute_path(folder, name);
  if (!is_watched(path)) {
    return make();
  }
  if (const Fault fault =
          fault_of(is_of_mpi(caller) ? CallKind::open_of_mpi : CallKind::open, path);
      fault.number != 0) {
    errno = fault.number;
    return -1;
  }
  Call call;
  call.begin_ns = now_ns();
  const int fd = make();
  if (fd >= 0 && is_recording() && (flags & (O_CREAT | O_TRUNC)) != 0) {
    call.done = Done::opened;
    call.path = path;
    call.a = flags;
    call.inode = inode_of(fd);
    record(call);
  }
  return fd;
}

bool has_mode(int flags) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

/// As the flags of open() that fopen() uses.
int flags_of(std::string_view mode) {
  return mode.find_first_of("wa") == std::string_view::npos ? 0
         : mode.find('w') != std::string_view::npos         ? O_CREAT | O_TRUNC
                                                            : O_CREAT;
}

template <typename Make>
std::FILE* open_stream(const char* name, const char* mode, const Make& make) {
  std::FILE* stream = nullptr;
  open_call(AT_FDCWD, name, flags_of(mode), nullptr, [&] {
    stream = make();
    return stream == nullptr ? -1 : ::fileno(stream);
  });
  return stream;
}

}  // namespace
}  // namespace shardmark::interposed

using namespace shardmark::interposed;

#define SHARDMARK_READ_MODE(flags) \
  mode_t mode = 0;                 \
  if (has_mode(flags)) {           \
    va_list more;                  \
    va_start(more, flags);         \
    mode = va_arg(more, mode_t);   \
    va_end(more);                  \
  }

SHARDMARK_INTERPOSED int open(const char* name, int flags, ...) {
  SHARDMARK_READ_MODE(flags)
  static auto* const next = next_call("open", &::open);
  return open_call(AT_FDCWD, name, flags, __builtin_return_address(0),
                   [&] { return next(name, flags, mode); });
}

SHARDMARK_INTERPOSED int open64(const char* name, int flags, ...) {
  SHARDMARK_READ_MODE(flags)
  static auto* const next = next_call("open64", &::open64);
  return open_call(AT_FDCWD, name, flags, __builtin_return_address(0),
                   [&] { return next(name, flags, mode); });
}

SHARDMARK_INTERPOSED int openat(int folder, const char* name, int flags, ...) {
  SHARDMARK_READ_MODE(flags)
  static auto* const next = next_call("openat", &::openat);
  return open_call(folder, name, flags, __builtin_return_address(0),
                   [&] { return next(folder, name, flags, mode); });
}

SHARDMARK_INTERPOSED int openat64(int folder, const char* name, int flags, ...) {
  SHARDMARK_READ_MODE(flags)
  static auto* const next = next_call("openat64", &::openat64);
  return open_call(folder, name, flags, __builtin_return_address(0),
                   [&] { return next(folder, name, flags, mode); });
}

SHARDMARK_INTERPOSED int creat(const char* name, mode_t mode) {
  static auto* const next = next_call("creat", &::creat);
  return open_call(AT_FDCWD, name, O_CREAT | O_TRUNC, __builtin_return_address(0),
                   [&] { return next(name, mode); });
}

// What programs call that were compiled with _FORTIFY_SOURCE: the C library's own names.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
SHARDMARK_INTERPOSED int __open_2(const char* name, int flags) {
  static auto* const next = next_call("__open_2", static_cast<int (*)(const char*, int)>(nullptr));
  return open_call(AT_FDCWD, name, flags, __builtin_return_address(0),
                   [&] { return next(name, flags); });
}

SHARDMARK_INTERPOSED int __open64_2(const char* name, int flags) {
  static auto* const next =
      next_call("__open64_2", static_cast<int (*)(const char*, int)>(nullptr));
  return open_call(AT_FDCWD, name, flags, __builtin_return_address(0),
                   [&] { return next(name, flags); });
}

SHARDMARK_INTERPOSED int __openat_2(int folder, const char* name, int flags) {
  static auto* const next =
      next_call("__openat_2", static_cast<int (*)(int, const char*, int)>(nullptr));
  return open_call(folder, name, flags, __builtin_return_address(0),
                   [&] { return next(folder, name, flags); });
}

SHARDMARK_INTERPOSED int __openat64_2(int folder, const char* name, int flags) {
  static auto* const next =
      next_call("__openat64_2", static_cast<int (*)(int, const char*, int)>(nullptr));
  return open_call(folder, name, flags, __builtin_return_address(0),
                   [&] { return next(folder, name, flags); });
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

SHARDMARK_INTERPOSED std::FILE* fopen(const char* name, const char* mode) {
  static auto* const next = next_call("fopen", &::fopen);
  return open_stream(name, mode, [&] { return next(name, mode); });
}

SHARDMARK_INTERPOSED std::FILE* fopen64(const char* name, const char* mode) {
  static auto* const next = next_call("fopen64", &::fopen64);
  return open_stream(name, mode, [&] { return next(name, mode); });
}
