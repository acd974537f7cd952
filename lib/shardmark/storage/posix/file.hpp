// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Most bytes of one read(2) or write(2); Linux moves 2 GiB less a page at most.
inline constexpr std::size_t max_call_bytes = std::size_t{1} << 30;

/// Owner of a file descriptor. Move-only; closing never reports, so fsync first what must be
/// durable.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Local. errno as an Error: "ACTION PATH: text". ENOSPC, EDQUOT and EFBIG are no_space; ENOENT is
/// not_found.
Error errno_error(std::string_view action, const std::string& path, int error_number);

/// Local. open(2) of a regular file with O_CLOEXEC; never waits, follows no link in the last
/// component. Errors: io_error at once for a FIFO, device, socket, folder or link in its place.
Result<FileDescriptor> open_file(const std::string& path, int flags, unsigned mode = 0666);

/// Local. All of `bytes` at `offset`, in as many calls as it takes. Errors: data_loss where the
/// file ends early.
Status read_at(const FileDescriptor& file, const std::string& path, std::span<std::byte> bytes,
               std::int64_t offset);
Status write_at(const FileDescriptor& file, const std::string& path,
                std::span<const std::byte> bytes, std::int64_t offset);

/// Local. Has the kernel begin to write what the page cache holds of a large range, and waits for
/// nothing: the device has work while more is copied into the cache. A failure shows in fsync.
void begin_writeback(const FileDescriptor& file, std::int64_t offset, std::int64_t num_bytes);

/// Local. The whole of a small file. Errors: invalid_argument above `max_bytes`.
Result<std::string> read_small_file(const std::string& path, std::int64_t max_bytes);

/// Local. Errors: io_error if it is no regular file.
Result<std::int64_t> file_size(const std::string& path);

/// Local. True if `path` still names the file that is open: nobody removed, renamed or replaced it.
bool is_still_there(const FileDescriptor& file, const std::string& path);

/// Local. fsync of an open file, and of one by name.
Status fsync_file(const FileDescriptor& file, const std::string& path);
Status fsync_path(const std::string& path);

}  // namespace shardmark
