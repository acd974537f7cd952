// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// What is known of one property of a file system.
enum class Known : std::uint8_t {
  not_tried,  // by one node alone it cannot be seen, or nobody has looked
  no,
  yes,
};

/// How far a lock (flock) reaches.
enum class LockReach : std::uint8_t { not_tried, none, node, everywhere };

/// What a file system does, as far as decisions of storage depend on it. The default is of one that
/// nobody has looked at.
struct FileSystemTraits {
  Known rename_noreplace = Known::not_tried;  // refuses to replace when told so
  Known fsync_folder = Known::not_tried;
  Known fallocate = Known::not_tried;       // and the space is then really taken
  Known seek_hole = Known::not_tried;       // tells never-written bytes from written ones
  Known zeros_kept = Known::not_tried;      // written zeros do not become holes
  Known o_direct = Known::not_tried;        // opens, writes and reads, past the page cache
  Known coherent = Known::not_tried;        // two nodes may write parts of one page
  Known page_residency = Known::not_tried;  // mincore tells what a read would find in memory
  Known file_numbers = Known::not_tried;    // tell files apart
  Known prompt_names =
      Known::not_tried;  // who looks too early sees a new name at once all the same
  LockReach locks = LockReach::not_tried;
  std::int64_t hole_grain = 0;        // bytes; 0: not known
  std::int64_t direct_alignment = 0;  // bytes; 0: not known
  double silent_limit_s = 600;        // see SweepRules

  friend bool operator==(const FileSystemTraits&, const FileSystemTraits&) = default;
};

std::string_view known_name(Known known) noexcept;
std::string_view lock_reach_name(LockReach reach) noexcept;

/// Local. Every trait by its name, with its value as text.
std::vector<std::pair<std::string, std::string>> trait_values(const FileSystemTraits& traits);

/// Local. Sets one by its name, as `storage.assume` does. Errors: invalid_argument naming the
/// traits there are, or the values it takes.
Status assume(FileSystemTraits& traits, std::string_view name, std::string_view value);
Status assume(FileSystemTraits& traits, const std::map<std::string, std::string>& values);

}  // namespace shardmark
