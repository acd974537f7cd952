// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/probe/mount.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace shardmark {
namespace {

std::string existing_folder(const std::string& directory) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(directory, error);
  while (path != path.root_path() && !std::filesystem::exists(path, error)) {
    path = path.parent_path();
  }
  const auto resolved = std::filesystem::canonical(path, error);
  return error ? path.string() : resolved.string();
}

bool is_below(std::string_view path, std::string_view mount) {
  return mount == "/" || path == mount ||
         (path.starts_with(mount) && path.size() > mount.size() && path[mount.size()] == '/');
}

/// The kernel writes blanks in names as octal numbers.
std::string without_escapes(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < text.size();
    out += escaped ? static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8)) : text[i];
    i += escaped ? 3 : 0;
  }
  return out;
}

template <std::size_t N>
bool begins_with_one_of(std::string_view type, const std::array<std::string_view, N>& names) {
  return std::ranges::any_of(names, [&](std::string_view name) { return type.starts_with(name); });
}

}  // namespace

Mount find_mount(std::string_view mountinfo, std::string_view path) {
  Mount found;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
      words.push_back(word);
    }
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || words.end() - dash < 4) {
      continue;
    }
    const std::string mount = without_escapes(words[4]);
    // The last of equal length is the one on top.
    if (is_below(path, mount) && mount.size() >= found.path.size()) {
      found = {mount, dash[1], without_escapes(dash[2]), words[5] + ";" + dash[3]};
    }
  }
  return found;
}

Mount mount_of(const std::string& directory) {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return find_mount(text.str(), existing_folder(directory));
}

bool is_coherent_type(std::string_view type) noexcept {
  constexpr std::array<std::string_view, 14> coherent = {
      "ext2", "ext3", "ext4", "xfs",      "btrfs",  "tmpfs", "ramfs",
      "zfs",  "f2fs", "jfs",  "bcachefs", "lustre", "gpfs",  "overlay"};
  return std::ranges::find(coherent, type) != coherent.end();
}

bool hides_pages(std::string_view type) noexcept {
  return type.starts_with("fuse");
}

bool remembers_names(std::string_view type) noexcept {
  constexpr std::array<std::string_view, 7> late = {"nfs", "fuse", "cifs",  "smb",
                                                    "9p",  "afs",  "beegfs"};
  return begins_with_one_of(type, late);
}

}  // namespace shardmark
