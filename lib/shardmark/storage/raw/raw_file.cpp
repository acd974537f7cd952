// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/raw_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shardmark/core/progress.hpp"
#include "shardmark/storage/posix/file_system.hpp"
#include "shardmark/storage/posix/missing_call.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {
namespace {

/// The block that O_DIRECT wants, 0 where the file system says that it has no O_DIRECT. At least a
/// page: a smaller one would share pages of the cache with buffered edges.
std::int64_t direct_block(const FileDescriptor& file) {
#ifdef STATX_DIOALIGN
  struct statx info {};
  if (::statx(file.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
      (info.stx_mask & STATX_DIOALIGN) != 0) {
    if (info.stx_dio_offset_align == 0) {
      return 0;
    }
    return std::max<std::int64_t>(
        {sharing_block(), info.stx_dio_mem_align, info.stx_dio_offset_align});
  }
#else
  static_cast<void>(file);
#endif
  return sharing_block();
}

}  // namespace

Result<RawFile> RawFile::open(const std::string& path, Access access, bool o_direct) {
  RawFile file;
  file.path_ = path;
  // A writer opens nothing for reading: a client of a file system that has read a page writes it
  // back whole, over what others wrote there.
  const int flags = access == Access::read ? O_RDONLY : O_WRONLY;
  SHARDMARK_ASSIGN_OR_RETURN(file.cached_, open_file(path, flags));
  if (!o_direct) {
    return file;
  }
  file.block_ = direct_block(file.cached_);
  if (file.block_ == 0) {
    file.block_ = sharing_block();
    file.state_->reason = "this file system has no O_DIRECT";
    return file;
  }
  auto direct = open_file(path, flags | O_DIRECT);
  if (!direct) {
    file.state_->reason = "this file system refuses to open files with O_DIRECT";
    return file;
  }
  file.past_cache_ = std::move(*direct);
  file.state_->o_direct = true;
  return file;
}

std::string RawFile::o_direct_reason() const {
  return o_direct() ? "" : state_->reason.load();
}

void RawFile::give_up_o_direct(const char* reason) const {
  state_->reason = reason;
  state_->o_direct = false;
}

void RawFile::measure(std::int64_t offset, std::int64_t num_bytes) const {
  if (state_->measured.exchange(true)) {
    return;
  }
  // tmpfs and others take O_DIRECT and use the page cache all the same.
  const FileRange range{path_, offset, num_bytes};
  const auto residency = page_residency({&range, 1});
  if (residency && residency->resident_pages * 2 > residency->pages) {
    give_up_o_direct("this file system takes O_DIRECT and uses the page cache all the same");
  }
}

Status RawFile::write(std::span<const std::byte> bytes, std::int64_t offset,
                      bool past_cache) const {
  if (!past_cache) {
    SHARDMARK_RETURN_IF_ERROR(write_at(cached_, path_, bytes, offset));
    begin_writeback(cached_, offset, static_cast<std::int64_t>(bytes.size()));
    return {};
  }
  const ScopedTransfer transfer;
  const std::int64_t first = offset;
  const auto all = static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(past_cache_.get(), bytes.data(), std::min(bytes.size(), max_call_bytes), offset);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0 && says_missing(errno)) {
      give_up_o_direct("this file system opens files with O_DIRECT and then refuses to write them");
      return write_at(cached_, path_, bytes, offset);
    }
    if (put < 0) {
      return errno_error("cannot write", path_, errno);
    }
    note_bytes_moved(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += put;
    if (put % block_ != 0 || put == 0) {
      // The rest is not aligned any more.
      return write_at(cached_, path_, bytes, offset);
    }
  }
  measure(first, all);
  return {};
}

Result<std::int64_t> RawFile::read(std::span<std::byte> bytes, std::int64_t offset,
                                   bool past_cache) const {
  const std::int64_t first = offset;
  const auto all = static_cast<std::int64_t>(bytes.size());
  bool direct = past_cache;
  const ScopedTransfer transfer;
  while (!bytes.empty()) {
    const ssize_t got = ::pread((direct ? past_cache_ : cached_).get(), bytes.data(),
                                std::min(bytes.size(), max_call_bytes), offset);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && direct && says_missing(errno)) {
      give_up_o_direct("this file system opens files with O_DIRECT and then refuses to read them");
      direct = false;
      continue;
    }
    if (got < 0) {
      return errno_error("cannot read", path_, errno);
    }
    if (got == 0) {
      break;
    }
    note_bytes_moved(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += got;
    direct = direct && got % block_ == 0;
  }
  if (past_cache) {
    measure(first, all);
  }
  return offset - first;
}

bool RawFile::agrees(const std::byte* data, std::int64_t offset) const noexcept {
  return (reinterpret_cast<std::uintptr_t>(data) - static_cast<std::uintptr_t>(offset)) %
             static_cast<std::uintptr_t>(block_) ==
         0;
}

Status RawFile::sync() const {
  return fsync_file(cached_, path_);
}

}  // namespace shardmark
