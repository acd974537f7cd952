// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "shardmark/core/progress.hpp"

namespace shardmark {
namespace {

// Of smaller ones the kernel makes larger requests later.
constexpr std::int64_t min_writeback_bytes = std::int64_t{1} << 20;

Error no_regular_file(const std::string& path, mode_t mode) {
  const char* found = S_ISDIR(mode)    ? "a folder"
                      : S_ISFIFO(mode) ? "a FIFO"
                      : S_ISLNK(mode)  ? "a link"
                      : S_ISSOCK(mode) ? "a socket"
                                       : "a device";
  return {ErrorCode::io_error, fmt::format("{} is {}, expected a regular file", path, found)};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Error errno_error(std::string_view action, const std::string& path, int error_number) {
  ErrorCode code = ErrorCode::io_error;
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    code = ErrorCode::no_space;
  } else if (error_number == ENOENT) {
    code = ErrorCode::not_found;
  }
  return {code, fmt::format("{} {}: {}", action, path,
                            std::error_code(error_number, std::generic_category()).message())};
}

Result<FileDescriptor> open_file(const std::string& path, int flags, unsigned mode) {
  FileDescriptor file;
  while (!file) {
    // O_NONBLOCK: nobody waits for the other end of a FIFO; regular files do not know it.
    file = FileDescriptor(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode));
    if (!file && errno == ELOOP) {
      return no_regular_file(path, S_IFLNK);
    }
    if (!file && errno != EINTR) {
      return errno_error("cannot open", path, errno);
    }
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    return errno_error("cannot stat", path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return no_regular_file(path, info.st_mode);
  }
  return file;
}

Status read_at(const FileDescriptor& file, const std::string& path, std::span<std::byte> bytes,
               std::int64_t offset) {
  const ScopedTransfer transfer;
  while (!bytes.empty()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data(), std::min(bytes.size(), max_call_bytes), offset);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno_error("cannot read", path, errno);
    }
    if (got == 0) {
      return Error{ErrorCode::data_loss, fmt::format("{} ends at byte {}, {} more were expected",
                                                     path, offset, bytes.size())};
    }
    note_bytes_moved(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += got;
  }
  return {};
}

Status write_at(const FileDescriptor& file, const std::string& path,
                std::span<const std::byte> bytes, std::int64_t offset) {
  const ScopedTransfer transfer;
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(file.get(), bytes.data(), std::min(bytes.size(), max_call_bytes), offset);
    if (put < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno_error("cannot write", path, errno);
    }
    note_bytes_moved(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += put;
  }
  return {};
}

void begin_writeback(const FileDescriptor& file, std::int64_t offset, std::int64_t num_bytes) {
#ifdef SYNC_FILE_RANGE_WRITE
  if (num_bytes >= min_writeback_bytes) {
    ::sync_file_range(file.get(), offset, num_bytes, SYNC_FILE_RANGE_WRITE);
  }
#else
  static_cast<void>(file);
  static_cast<void>(offset);
  static_cast<void>(num_bytes);
#endif
}

Result<std::string> read_small_file(const std::string& path, std::int64_t max_bytes) {
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    return errno_error("cannot stat", path, errno);
  }
  if (info.st_size > max_bytes) {
    return Error{ErrorCode::data_loss, fmt::format("{} has {} bytes, at most {} were expected",
                                                   path, info.st_size, max_bytes)};
  }
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  SHARDMARK_RETURN_IF_ERROR(
      read_at(file, path, std::as_writable_bytes(std::span(text.data(), text.size())), 0));
  return text;
}

Result<std::int64_t> file_size(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno_error("cannot stat", path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return no_regular_file(path, info.st_mode);
  }
  return static_cast<std::int64_t>(info.st_size);
}

bool is_still_there(const FileDescriptor& file, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file.get(), &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

Status fsync_file(const FileDescriptor& file, const std::string& path) {
  const ScopedTransfer transfer;
  while (::fsync(file.get()) != 0) {
    if (errno != EINTR) {
      return errno_error("cannot fsync", path, errno);
    }
  }
  return {};
}

Status fsync_path(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  return fsync_file(file, path);
}

}  // namespace shardmark
