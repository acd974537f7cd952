// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shardmark::bench {

/// Local. The value of a "VmRSS:  1234 kB" line of /proc/self/status, in bytes.
std::optional<std::int64_t> parse_status_bytes(std::string_view status_text, std::string_view key);

/// Most memory that this process held at once since the watch began, beyond what it held then. The
/// tensors must have been touched before. One watch at a time: the kernel keeps one high-water mark
/// a process.
class PeakMemoryWatch {
 public:
  /// Local. Resets the high-water mark.
  PeakMemoryWatch();

  /// Local. Bytes; nullopt where the kernel does not let the mark be reset or read.
  std::optional<std::int64_t> peak_bytes() const;

 private:
  std::optional<std::int64_t> resident_before_;
};

}  // namespace shardmark::bench
