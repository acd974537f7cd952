// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/file_system.hpp"

#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <span>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

// Of linux/magic.h and of file systems outside the kernel's tree, by name: ext2 to ext4, XFS,
// Btrfs, tmpfs, ramfs, F2FS, overlay, ZFS, bcachefs, JFS.
constexpr std::array<std::uint64_t, 10> local_kinds = {
    0xEF53,     0x58465342, 0x9123683E, 0x01021994, 0x858458F6,
    0xF2F52010, 0x794C7630, 0x2FC12FC1, 0xCA451A4E, 0x3153464A};
// Regions and stripes are whole multiples of it.
constexpr std::int64_t largest_page = std::int64_t{64} << 10;
constexpr std::uint64_t fuse_kind = 0x65735546;

/// Of the running kernel; its host's name where it does not tell.
std::string kernel_identity() {
  std::string text;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> text;
  if (text.empty()) {
    std::array<char, 256> name{};
    text = ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
  }
  return text;
}

}  // namespace

FileSystemKind file_system_kind(const std::string& directory) {
  struct statfs info {};
  if (::statfs(directory.c_str(), &info) != 0) {
    return {false, false};
  }
  const auto kind = static_cast<std::uint64_t>(info.f_type) & 0xFFFFFFFFU;
  return {std::find(local_kinds.begin(), local_kinds.end(), kind) != local_kinds.end(),
          kind != fuse_kind};
}

Result<std::uint64_t> cache_identity(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    return errno_error("cannot stat", directory, errno);
  }
  const std::string text = kernel_identity() + " " + std::to_string(info.st_dev);
  return xxh3(std::as_bytes(std::span(text)));
}

std::int64_t sharing_block() noexcept {
  static const std::int64_t block = [] {
    const std::int64_t page = std::max<std::int64_t>(4096, ::sysconf(_SC_PAGESIZE));
    const char* const text = std::getenv("SHARDMARK_PRETEND_PAGE_BYTES");
    const std::int64_t pretended = text == nullptr ? 0 : std::atoll(text);
    return pretended > page && pretended % page == 0 && largest_page % pretended == 0 ? pretended
                                                                                      : page;
  }();
  return block;
}

}  // namespace shardmark
