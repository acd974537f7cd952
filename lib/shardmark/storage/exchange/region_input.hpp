// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/raw_file.hpp"

namespace shardmark {

/// A part of a file that one rank reads for all ranks that want something of it.
struct ReadRegion {
  std::size_t number = 0;  // among the regions of all nodes
  std::size_t file = 0;    // position in the list of open files
  ByteRange bytes;
  int reader = 0;    // of all ranks, where nodes read together
  int server = 0;    // of this rank's node: who gets it for the others; the reader if he is here
  int nodes = 1;     // that want something of it
  bool here = true;  // this node is one of them
};

/// One bit a block of a slot.
using BlockBits = std::span<std::atomic<std::uint64_t>>;

void mark_blocks(BlockBits bits, std::int64_t first, std::int64_t end);
bool all_marked(BlockBits bits, std::int64_t first, std::int64_t end);
/// Stretches of set bits, in bytes of the slot, across gaps of at most `max_gap` bytes.
std::vector<ByteRange> marked_stretches(BlockBits bits, std::int64_t max_gap,
                                        std::int64_t& gap_bytes);

/// What one rank reads in an exchange, by whichever of its threads.
class RegionInput {
 public:
  RegionInput(const SharedStaging& staging, std::span<const ReadRegion> regions,
              std::span<const RawFile* const> open_files, std::int64_t sieve_gap)
      : staging_(staging), regions_(regions), open_files_(open_files), sieve_gap_(sieve_gap) {}

  /// Reads what is marked as wanted of a region into its slot.
  Status read(std::size_t number);

  /// A failure is everybody's who shares the staging.
  void note(const Status& status);
  std::atomic<int>& in_flight() noexcept { return in_flight_; }

  /// When all is read.
  void add_to(ReadCounters& counters) const;
  Status status() const;

 private:
  SharedStaging staging_;
  std::span<const ReadRegion> regions_;
  std::span<const RawFile* const> open_files_;
  std::int64_t sieve_gap_;
  std::atomic<int> in_flight_ = 0;
  mutable std::mutex mutex_;
  Status failed_;     // under mutex_, the first
  ReadCounters own_;  // under mutex_
};

}  // namespace shardmark
