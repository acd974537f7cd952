// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/file_stripes.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/lustre_constants.hpp"
#include "shardmark/storage/posix/lustre_layout.hpp"

namespace shardmark {
namespace {

// Lustre keeps no larger attribute.
constexpr std::size_t max_layout_bytes = 65536;
// Of gpfs_fcntl.h and the kernel's list: "GPFS".
constexpr std::uint64_t gpfs_kind = 0x47504653;

/// Local. nullopt: the file system knows no stripes; empty: this path has none of its own.
std::optional<std::vector<std::byte>> layout_of(const std::string& path) {
  std::vector<std::byte> bytes(max_layout_bytes);
  const ssize_t size =
      ::getxattr(path.c_str(), lustre::layout_attribute, bytes.data(), bytes.size());
  if (size < 0 && errno != ENODATA) {
    return std::nullopt;
  }
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return bytes;
}

Error no_stripes(const std::string& folder, std::int64_t stripe_bytes, std::int64_t stripe_count) {
  const bool size = stripe_bytes != 0;
  return Error{ErrorCode::invalid_argument,
               fmt::format("storage.{} = {}: the file system of {} has no stripes that can be set; "
                           "expected 0, or a directory on Lustre",
                           size ? "stripe_size" : "stripe_count",
                           size ? stripe_bytes : stripe_count, folder)};
}

}  // namespace

Result<Striping> striping_of(const std::string& path) {
  if (const auto bytes = layout_of(path)) {
    return bytes->empty() ? Result<Striping>(Striping{}) : parse_lustre_layout(*bytes);
  }
  struct statfs system {};
  struct stat info {};
  if (::statfs(path.c_str(), &system) != 0 || ::stat(path.c_str(), &info) != 0) {
    return Striping{};
  }
  return striping_of_blocks(static_cast<std::uint64_t>(system.f_type) & 0xFFFFFFFFU,
                            info.st_blksize);
}

Striping striping_of_blocks(std::uint64_t file_system, std::int64_t block_bytes) {
  if (file_system != gpfs_kind || block_bytes < stripe_unit_bytes ||
      block_bytes % stripe_unit_bytes != 0) {
    return {};
  }
  return {{{0, INT64_MAX, block_bytes, 0}}};
}

Status check_can_set_stripes(const std::string& folder, std::int64_t stripe_bytes,
                             std::int64_t stripe_count) {
  if ((stripe_bytes != 0 || stripe_count != 0) && !layout_of(folder)) {
    return no_stripes(folder, stripe_bytes, stripe_count);
  }
  return {};
}

Status set_stripes(const std::string& folder, std::int64_t stripe_bytes,
                   std::int64_t stripe_count) {
  if (stripe_bytes == 0 && stripe_count == 0) {
    return {};
  }
  const auto inherited = layout_of(folder);
  if (!inherited) {
    return no_stripes(folder, stripe_bytes, stripe_count);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const std::vector<std::byte> layout,
                             make_lustre_layout(*inherited, stripe_bytes, stripe_count));
  if (::setxattr(folder.c_str(), lustre::layout_attribute, layout.data(), layout.size(), 0) != 0) {
    if (errno == ENOTSUP) {
      return no_stripes(folder, stripe_bytes, stripe_count);
    }
    return errno_error("storage.stripe_size, storage.stripe_count: cannot set the stripes of",
                       folder, errno);
  }
  return {};
}

}  // namespace shardmark
