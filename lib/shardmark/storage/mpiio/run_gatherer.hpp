// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Makes few large writes of many short runs that lie end to end in a file: runs of at least 1 MiB
/// go as they are, shorter neighbours are copied together into a staging buffer of 4 MiB.
class RunGatherer {
 public:
  using Write = std::function<Status(std::span<const std::byte> bytes, std::int64_t offset)>;

  explicit RunGatherer(Write write) : write_(std::move(write)) {}

  /// Local. Runs by offset ascending.
  Status put(std::span<const std::byte> run, std::int64_t offset) {
    const bool follows =
        !staging_.empty() && offset == offset_ + static_cast<std::int64_t>(staging_.size());
    if (!follows || run.size() >= large_run_bytes || staging_.size() + run.size() > staging_bytes) {
      SHARDMARK_RETURN_IF_ERROR(finish());
    }
    if (run.size() >= large_run_bytes) {
      return write_(run, offset);
    }
    if (staging_.empty()) {
      offset_ = offset;
    }
    staging_.insert(staging_.end(), run.begin(), run.end());
    bytes_staged_ += static_cast<std::int64_t>(run.size());
    return {};
  }

  /// Local. Writes what is gathered.
  Status finish() {
    Status written = staging_.empty() ? Status() : write_(staging_, offset_);
    staging_.clear();
    return written;
  }

  std::int64_t bytes_staged() const noexcept { return bytes_staged_; }

 private:
  static constexpr std::size_t large_run_bytes = std::size_t{1} << 20;
  static constexpr std::size_t staging_bytes = std::size_t{4} << 20;

  Write write_;
  std::vector<std::byte> staging_;
  std::int64_t offset_ = 0;  // of what is staged
  std::int64_t bytes_staged_ = 0;
};

}  // namespace shardmark
