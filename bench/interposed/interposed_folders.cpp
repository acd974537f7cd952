// SPDX-License-Identifier: Apache-2.0
// Calls that change folders.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "bench/interposed/faulty_calls.hpp"
#include "bench/interposed/recorded_calls.hpp"
#include "bench/interposed/watched_calls.hpp"

namespace shardmark::interposed {
namespace {

std::uint64_t inode_at(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

/// A change of a name; `other` is the second one of renames and links.
template <typename Make>
int on_name(CallKind kind, Done done, const std::string& path, const std::string& other,
            std::int64_t a, const Make& make) {
  if (!is_watched(path) && !is_watched(other)) {
    return make();
  }
  if (const Fault fault = fault_of(kind, path); fault.number != 0) {
    errno = fault.number;
    return -1;
  }
  Call call;
  call.begin_ns = now_ns();
  const int result = make();
  if (result == 0 && is_recording()) {
    call.done = done;
    call.path = path;
    call.other = other;
    call.a = a;
    call.inode = done == Done::folder_made ? inode_at(path) : 0;
    record(call);
  }
  return result;
}

template <typename Make>
int rename_call(int from_folder, const char* from, int to_folder, const char* to, unsigned flags,
                const Make& make) {
  return on_name(CallKind::rename, Done::renamed, absolute_path(from_folder, from),
                 absolute_path(to_folder, to), flags, make);
}

template <typename Make>
int remove_call(int folder, const char* name, const Make& make) {
  return on_name(CallKind::remove, Done::removed, absolute_path(folder, name), "", 0, make);
}

template <typename Make>
int make_folder_call(int folder, const char* name, const Make& make) {
  return on_name(CallKind::make_folder, Done::folder_made, absolute_path(folder, name), "", 0,
                 make);
}

}  // namespace
}  // namespace shardmark::interposed

using namespace shardmark::interposed;

SHARDMARK_INTERPOSED int rename(const char* from, const char* to) noexcept {
  static auto* const next = next_call("rename", &::rename);
  return rename_call(AT_FDCWD, from, AT_FDCWD, to, 0, [&] { return next(from, to); });
}

SHARDMARK_INTERPOSED int renameat(int from_folder, const char* from, int to_folder,
                                  const char* to) noexcept {
  static auto* const next = next_call("renameat", &::renameat);
  return rename_call(from_folder, from, to_folder, to, 0,
                     [&] { return next(from_folder, from, to_folder, to); });
}

SHARDMARK_INTERPOSED int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                                   unsigned flags) noexcept {
  static auto* const next = next_call("renameat2", &::renameat2);
  return rename_call(from_folder, from, to_folder, to, flags,
                     [&] { return next(from_folder, from, to_folder, to, flags); });
}

SHARDMARK_INTERPOSED int unlink(const char* name) noexcept {
  static auto* const next = next_call("unlink", &::unlink);
  return remove_call(AT_FDCWD, name, [&] { return next(name); });
}

SHARDMARK_INTERPOSED int unlinkat(int folder, const char* name, int flags) noexcept {
  static auto* const next = next_call("unlinkat", &::unlinkat);
  return remove_call(folder, name, [&] { return next(folder, name, flags); });
}

SHARDMARK_INTERPOSED int remove(const char* name) noexcept {
  static auto* const next = next_call("remove", static_cast<int (*)(const char*)>(nullptr));
  return remove_call(AT_FDCWD, name, [&] { return next(name); });
}

SHARDMARK_INTERPOSED int rmdir(const char* name) noexcept {
  static auto* const next = next_call("rmdir", &::rmdir);
  return remove_call(AT_FDCWD, name, [&] { return next(name); });
}

SHARDMARK_INTERPOSED int mkdir(const char* name, mode_t mode) noexcept {
  static auto* const next = next_call("mkdir", &::mkdir);
  return make_folder_call(AT_FDCWD, name, [&] { return next(name, mode); });
}

SHARDMARK_INTERPOSED int mkdirat(int folder, const char* name, mode_t mode) noexcept {
  static auto* const next = next_call("mkdirat", &::mkdirat);
  return make_folder_call(folder, name, [&] { return next(folder, name, mode); });
}

SHARDMARK_INTERPOSED int link(const char* from, const char* to) noexcept {
  static auto* const next = next_call("link", &::link);
  return on_name(CallKind::rename, Done::linked, absolute_path(AT_FDCWD, from),
                 absolute_path(AT_FDCWD, to), 0, [&] { return next(from, to); });
}

SHARDMARK_INTERPOSED int symlink(const char* from, const char* to) noexcept {
  static auto* const next = next_call("symlink", &::symlink);
  return on_name(CallKind::rename, Done::not_known, absolute_path(AT_FDCWD, to), "symlink", 0,
                 [&] { return next(from, to); });
}
