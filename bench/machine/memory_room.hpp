// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shardmark::bench {

/// What one limit still leaves to the processes below it, page cache that can be given back
/// included.
struct MemoryRoom {
  std::string limit;  // "MemAvailable of this node", or the file that holds it
  std::int64_t num_bytes = 0;

  friend bool operator==(const MemoryRoom&, const MemoryRoom&) = default;
};

/// Local. Every limit that holds for this process: its node's memory and each control group above
/// it (v1 and v2) that has one. 1 GiB where the node does not say. `root`: where /proc and /sys
/// lie.
std::vector<MemoryRoom> memory_rooms(const std::string& root = "");

/// Local. The least of them, in bytes.
std::int64_t available_memory_bytes();

}  // namespace shardmark::bench
