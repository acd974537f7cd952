// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace shardmark {

/// Where a directory's file system is mounted, as the kernel says.
struct Mount {
  std::string path;
  std::string type;     // "ext4", "nfs4", "fuse.sshfs"
  std::string source;   // a device, or SERVER:/PATH
  std::string options;  // of the mount and of the file system

  friend bool operator==(const Mount&, const Mount&) = default;
};

/// Local. Of `directory`, or of the nearest parent that is there. Empty where nobody says.
Mount mount_of(const std::string& directory);

/// Local. Of a text in the form of /proc/self/mountinfo, for an absolute path without links.
Mount find_mount(std::string_view mountinfo, std::string_view path);

/// True for a file system of this machine's kernel alone, whose page cache is the only one; and
/// for those that keep the caches of all their clients in step.
bool is_coherent_type(std::string_view type) noexcept;

/// True where a server keeps pages of its own that this kernel does not see: FUSE.
bool hides_pages(std::string_view type) noexcept;

/// True where clients believe for a while what they knew of names.
bool remembers_names(std::string_view type) noexcept;

}  // namespace shardmark
