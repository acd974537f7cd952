// SPDX-License-Identifier: Apache-2.0
// Calls on files that are open: transfers, lengths, syncs.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "bench/interposed/faulty_calls.hpp"
#include "bench/interposed/recorded_calls.hpp"
#include "bench/interposed/watched_calls.hpp"

namespace shardmark::interposed {
namespace {

/// A call on a file: fails as asked, is made by `make`, and is recorded with what `describe` says
/// of its result. Both 0 and counts of bytes are results; -1 is failure.
template <typename Make, typename Describe>
auto on_file(CallKind kind, int fd, const Make& make, const Describe& describe)
    -> decltype(make(Fault{})) {
  const std::string path = path_of(fd);
  if (!is_watched(path)) {
    return make(Fault{});
  }
  const Fault fault = fault_of(kind, path);
  if (fault.number != 0) {
    errno = fault.number;
    return -1;
  }
  Call call;
  call.path = path;
  call.begin_ns = now_ns();
  const auto result = make(fault);
  if (result >= 0 && is_recording()) {
    call.inode = inode_of(fd);
    describe(call, result);
    if (call.done != Done::not_known) {
      record(call);
    }
  }
  return result;
}

/// `at` below 0: where the file stood before.
template <typename Make>
ssize_t write_call(int fd, const void* data, off64_t at, const Make& make) {
  return on_file(CallKind::write, fd, make, [&](Call& call, ssize_t done) {
    call.done = Done::written;
    call.a = at >= 0 ? at : ::lseek64(fd, 0, SEEK_CUR) - done;
    call.data = data;
    call.num_bytes = static_cast<std::size_t>(done);
  });
}

template <typename Make>
ssize_t read_call(int fd, const Make& make) {
  return on_file(CallKind::read, fd, make, [](Call&, ssize_t) {});
}

std::vector<char> joined(const iovec* pieces, int count) {
  std::vector<char> bytes;
  for (int i = 0; i < count; ++i) {
    const auto* data = static_cast<const char*>(pieces[i].iov_base);
    bytes.insert(bytes.end(), data, data + pieces[i].iov_len);
  }
  return bytes;
}

/// Records of vectors hold one piece of bytes; a short transfer does the first vector alone.
template <typename Make>
ssize_t write_vectors(int fd, const iovec* pieces, int count, off64_t at, const Make& make) {
  const std::vector<char> bytes = is_recording() ? joined(pieces, count) : std::vector<char>();
  return write_call(fd, bytes.data(), at,
                    [&](const Fault& fault) { return make(fault.is_short ? 1 : count); });
}

template <typename Make>
int sync_call(int fd, const Make& make) {
  struct stat info {};
  const bool folder = ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  return on_file(folder ? CallKind::sync_folder : CallKind::sync, fd, make,
                 [](Call& call, int) { call.done = Done::synced; });
}

template <typename Make>
int truncate_call(int fd, off64_t size, const Make& make) {
  return on_file(CallKind::truncate, fd, make, [&](Call& call, int) {
    call.done = Done::truncated;
    call.a = size;
  });
}

template <typename Make>
int allocate_call(int fd, int mode, off64_t at, off64_t size, const Make& make) {
  return on_file(CallKind::allocate, fd, make, [&](Call& call, int) {
    call.done = Done::allocated;
    call.a = at;
    call.b = size;
    call.mode = static_cast<std::uint32_t>(mode);
  });
}

/// What a record cannot follow.
void note_unknown(int fd, const char* what) {
  const std::string path = path_of(fd);
  if (is_recording() && is_watched(path)) {
    Call call;
    call.path = path;
    call.other = what;
    call.begin_ns = now_ns();
    record(call);
  }
}

}  // namespace
}  // namespace shardmark::interposed

using namespace shardmark::interposed;

SHARDMARK_INTERPOSED ssize_t write(int fd, const void* data, size_t size) {
  static auto* const next = next_call("write", &::write);
  return write_call(fd, data, -1,
                    [&](const Fault& fault) { return next(fd, data, shortened(fault, size)); });
}

SHARDMARK_INTERPOSED ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  static auto* const next = next_call("pwrite", &::pwrite);
  return write_call(fd, data, at,
                    [&](const Fault& fault) { return next(fd, data, shortened(fault, size), at); });
}

SHARDMARK_INTERPOSED ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  static auto* const next = next_call("pwrite64", &::pwrite64);
  return write_call(fd, data, at,
                    [&](const Fault& fault) { return next(fd, data, shortened(fault, size), at); });
}

SHARDMARK_INTERPOSED ssize_t writev(int fd, const iovec* pieces, int count) {
  static auto* const next = next_call("writev", &::writev);
  return write_vectors(fd, pieces, count, -1, [&](int some) { return next(fd, pieces, some); });
}

SHARDMARK_INTERPOSED ssize_t pwritev(int fd, const iovec* pieces, int count, off_t at) {
  static auto* const next = next_call("pwritev", &::pwritev);
  return write_vectors(fd, pieces, count, at, [&](int some) { return next(fd, pieces, some, at); });
}

SHARDMARK_INTERPOSED ssize_t pwritev64(int fd, const iovec* pieces, int count, off64_t at) {
  static auto* const next = next_call("pwritev64", &::pwritev64);
  return write_vectors(fd, pieces, count, at, [&](int some) { return next(fd, pieces, some, at); });
}

SHARDMARK_INTERPOSED ssize_t read(int fd, void* data, size_t size) {
  static auto* const next = next_call("read", &::read);
  return read_call(fd, [&](const Fault& fault) { return next(fd, data, shortened(fault, size)); });
}

SHARDMARK_INTERPOSED ssize_t pread(int fd, void* data, size_t size, off_t at) {
  static auto* const next = next_call("pread", &::pread);
  return read_call(fd,
                   [&](const Fault& fault) { return next(fd, data, shortened(fault, size), at); });
}

SHARDMARK_INTERPOSED ssize_t pread64(int fd, void* data, size_t size, off64_t at) {
  static auto* const next = next_call("pread64", &::pread64);
  return read_call(fd,
                   [&](const Fault& fault) { return next(fd, data, shortened(fault, size), at); });
}

SHARDMARK_INTERPOSED ssize_t preadv(int fd, const iovec* pieces, int count, off_t at) {
  static auto* const next = next_call("preadv", &::preadv);
  return read_call(
      fd, [&](const Fault& fault) { return next(fd, pieces, fault.is_short ? 1 : count, at); });
}

SHARDMARK_INTERPOSED ssize_t preadv64(int fd, const iovec* pieces, int count, off64_t at) {
  static auto* const next = next_call("preadv64", &::preadv64);
  return read_call(
      fd, [&](const Fault& fault) { return next(fd, pieces, fault.is_short ? 1 : count, at); });
}

SHARDMARK_INTERPOSED int fsync(int fd) {
  static auto* const next = next_call("fsync", &::fsync);
  return sync_call(fd, [&](const Fault&) { return next(fd); });
}

SHARDMARK_INTERPOSED int fdatasync(int fd) {
  static auto* const next = next_call("fdatasync", &::fdatasync);
  return sync_call(fd, [&](const Fault&) { return next(fd); });
}

// The names with and without 64 are one type here; both are exported, and a program calls either.
SHARDMARK_INTERPOSED int ftruncate(int fd, off_t size) noexcept {
  static auto* const next = next_call("ftruncate", &::ftruncate);
  return truncate_call(fd, size, [&](const Fault&) { return next(fd, size); });
}

SHARDMARK_INTERPOSED int ftruncate64(int fd, off64_t size) noexcept {
  static auto* const next = next_call("ftruncate64", &::ftruncate64);
  return truncate_call(fd, size, [&](const Fault&) { return next(fd, size); });
}

SHARDMARK_INTERPOSED int fallocate(int fd, int mode, off_t at, off_t size) {
  static auto* const next = next_call("fallocate", &::fallocate);
  return allocate_call(fd, mode, at, size, [&](const Fault&) { return next(fd, mode, at, size); });
}

SHARDMARK_INTERPOSED int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  static auto* const next = next_call("fallocate64", &::fallocate64);
  return allocate_call(fd, mode, at, size, [&](const Fault&) { return next(fd, mode, at, size); });
}

/// Says its error by its result, which the others never do.
SHARDMARK_INTERPOSED int posix_fallocate(int fd, off_t at, off_t size) {
  static auto* const next = next_call("posix_fallocate", &::posix_fallocate);
  const int result = allocate_call(fd, 0, at, size, [&](const Fault&) {
    const int number = next(fd, at, size);
    errno = number;
    return number == 0 ? 0 : -1;
  });
  return result == 0 ? 0 : errno;
}

SHARDMARK_INTERPOSED int close(int fd) {
  static auto* const next = next_call("close", &::close);
  const std::string path = path_of(fd);
  const Fault fault = is_watched(path) ? fault_of(CallKind::close, path) : Fault{};
  const int result = next(fd);
  if (result == 0 && fault.number != 0) {
    errno = fault.number;  // it is closed all the same, as close(2) has it
    return -1;
  }
  return result;
}

SHARDMARK_INTERPOSED void* mmap(void* place, size_t size, int protection, int flags, int fd,
                                off_t at) noexcept {
  static auto* const next = next_call("mmap", &::mmap);
  if (fd >= 0 && (flags & MAP_SHARED) != 0 && (protection & PROT_WRITE) != 0) {
    note_unknown(fd, "mmap");
  }
  return next(place, size, protection, flags, fd, at);
}

SHARDMARK_INTERPOSED ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at,
                                             size_t size, unsigned flags) {
  static auto* const next = next_call("copy_file_range", &::copy_file_range);
  note_unknown(to, "copy_file_range");
  return next(from, from_at, to, to_at, size, flags);
}
