// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shardmark::bench {

/// What the kernel counts for this process.
struct ProcessIo {
  std::int64_t read_bytes = 0;   // fetched from storage
  std::int64_t write_bytes = 0;  // sent, or dirtied to be sent, to storage
};

/// Local. The two lines of /proc/self/io's text that count storage. nullopt if one is missing.
std::optional<ProcessIo> parse_process_io(std::string_view text);

/// Local. What this process and its threads have moved since they began; nullopt where the kernel
/// does not say.
std::optional<ProcessIo> process_io();

std::optional<ProcessIo> difference(const std::optional<ProcessIo>& after,
                                    const std::optional<ProcessIo>& before);

}  // namespace shardmark::bench
