// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/memory_room.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "bench/machine/memory_usage.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t if_unknown_bytes = std::int64_t{1} << 30;

/// Of one version of control groups, the names of what they tell.
struct GroupFiles {
  const char* limit;
  const char* used;
  const char* cache[2];  // keys of memory.stat: pages of files, which are given back when wanted
};
constexpr GroupFiles version_1 = {
    "memory.limit_in_bytes", "memory.usage_in_bytes", {"total_inactive_file", "total_active_file"}};
constexpr GroupFiles version_2 = {"memory.max", "memory.current", {"inactive_file", "active_file"}};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// nullopt for "max", and for what is no number of 63 bits.
std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::int64_t stat_of(std::string_view stat, std::string_view key) {
  for (std::size_t at = stat.find(key); at != std::string_view::npos; at = stat.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    if ((at == 0 || stat[at - 1] == '\n') && end < stat.size() && stat[end] == ' ') {
      return number_of(stat.substr(end + 1)).value_or(0);
    }
  }
  return 0;
}

std::optional<MemoryRoom> room_of_group(const std::string& folder, const GroupFiles& files) {
  // Version 1 writes a number near 2^63 where there is none.
  constexpr std::int64_t no_limit = std::int64_t{1} << 60;
  const std::string limit_path = folder + "/" + files.limit;
  const auto limit = number_of(text_of(limit_path));
  const auto used = number_of(text_of(folder + "/" + files.used));
  if (!limit || !used || *limit >= no_limit) {
    return std::nullopt;
  }
  const std::string stat = text_of(folder + "/memory.stat");
  const std::int64_t cache = stat_of(stat, files.cache[0]) + stat_of(stat, files.cache[1]);
  return MemoryRoom{limit_path, std::max<std::int64_t>(0, *limit - *used + std::min(cache, *used))};
}

/// The group's folder and those above it. In a container the group's own path may lie outside of
/// what is mounted: its topmost folder is then the container's.
void add_groups(const std::string& mount, std::string group, const GroupFiles& files,
                std::vector<MemoryRoom>& rooms) {
  for (;;) {
    if (auto room = room_of_group(mount + group, files)) {
      rooms.push_back(std::move(*room));
    }
    if (group.empty()) {
      return;
    }
    group.erase(group.rfind('/'));
  }
}

/// Whether memory is among the comma-separated controllers.
bool has_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t end = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, end) == "memory") {
      return true;
    }
    controllers.remove_prefix(std::min(end + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::vector<MemoryRoom> memory_rooms(const std::string& root) {
  std::vector<MemoryRoom> rooms;
  const auto available = parse_status_bytes(text_of(root + "/proc/meminfo"), "MemAvailable");
  rooms.push_back({"MemAvailable of this node", available.value_or(if_unknown_bytes)});
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // hierarchy:controllers:/path
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || !line.substr(second + 1).starts_with('/')) {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") {
      path.clear();
    }
    if (controllers.empty()) {
      add_groups(root + "/sys/fs/cgroup", path, version_2, rooms);
      add_groups(root + "/sys/fs/cgroup/unified", path, version_2, rooms);
    } else if (has_memory(controllers)) {
      add_groups(root + "/sys/fs/cgroup/memory", path, version_1, rooms);
    }
  }
  return rooms;
}

std::int64_t available_memory_bytes() {
  const auto rooms = memory_rooms();
  return std::ranges::min_element(rooms, {}, &MemoryRoom::num_bytes)->num_bytes;
}

}  // namespace shardmark::bench
