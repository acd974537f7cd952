// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"

namespace shardmark {

/// What one rank writes in an exchange, by whichever of its threads.
class RegionOutput {
 public:
  RegionOutput(const SharedStaging& staging, std::span<const RawFile* const> open_files)
      : staging_(staging), open_files_(open_files) {}

  using Edge = RawWriter::Edge;

  /// By position among the exchanged files. Past the cache where that can be.
  Status write(std::size_t file, std::span<const std::byte> bytes, std::int64_t offset);
  /// Elements in the keeper's blocks: through the cache, and to be read back.
  Status write_kept(std::size_t file, std::span<const std::byte> bytes, std::int64_t offset);

  /// A failure is everybody's who shares the staging.
  void note(const Status& status);

  /// So many requests are under way.
  std::atomic<int>& in_flight() noexcept { return in_flight_; }

  /// When all is written.
  void add_to(WriteCounters& counters) const;
  Status status() const;
  std::vector<Edge> take_edges() { return std::move(edges_); }

 private:
  SharedStaging staging_;
  std::span<const RawFile* const> open_files_;
  std::atomic<int> in_flight_ = 0;
  mutable std::mutex mutex_;
  Status failed_;            // under mutex_, the first
  std::vector<Edge> edges_;  // under mutex_
  WriteCounters own_;        // under mutex_
};

}  // namespace shardmark
