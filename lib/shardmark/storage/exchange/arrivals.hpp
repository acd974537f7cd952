// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/exchange/regions.hpp"

namespace shardmark {

/// What a node has of a region for the rank that writes it: elements, and how many more that rank
/// need not wait for. On the wire, with the bytes of the ranges behind each other.
struct RegionPieces {
  std::size_t region = 0;  // position in the list of this node's
  std::int64_t own_bytes = 0;
  std::vector<ByteRange> ranges;  // of the file, ascending
};
std::vector<std::byte> encode(const RegionPieces& pieces, const Region& region,
                              const std::byte* region_bytes);

/// Bytes of regions on their way to the rank that writes them, or that keeps some of their blocks.
/// When a region is complete is arithmetic: every element of it is either here or somebody's own.
class Arrivals {
 public:
  struct Setting {
    std::span<const ExchangedFile> files;
    std::span<const Region> regions;
    int rank = 0;  // of all
    std::int64_t region_bytes = 0;
    std::int64_t block = 0;
    std::size_t most_open = 2;  // regions with bytes at a time
  };
  explicit Arrivals(const Setting& setting);

  /// A region all of whose bytes are known, in memory as the file has it.
  struct Complete {
    std::size_t region = 0;
    std::vector<ByteRange> blocks;  // to write, whole
    std::vector<ByteRange> kept;    // elements in blocks of the keeper
    std::byte* bytes = nullptr;     // of the region; to be given back; null if nothing is to write
  };

  /// Local, before all else. Regions without an element are complete at once.
  Status begin();

  /// Local. Regions that are complete since the last call.
  std::vector<Complete> take_complete() { return std::exchange(complete_, {}); }
  /// From any thread. The memory of a complete region is free again.
  void give_back(const Complete& complete);

  /// Local. Takes what this rank's node has itself; `region_bytes` is the region in memory.
  Status add(const RegionPieces& pieces, const std::byte* region_bytes);
  /// Local. Takes a message. Errors: internal for bytes that encode() has not made for this rank.
  Status add(std::span<const std::byte> message);

  /// Regions of this rank that are not complete, ascending, for which more bytes may come now: at
  /// most `count`.
  std::vector<std::size_t> open_for(std::size_t count) const;
  /// Whether bytes of this rank's region may come now.
  bool is_open_for(std::size_t region) const;
  bool all_complete() const noexcept { return num_complete_ == awaited_.size(); }

 private:
  struct Assembly {
    std::int64_t missing = 0;
    std::vector<ByteRange> ranges;
    std::byte* bytes = nullptr;
  };
  struct Freed {
    void operator()(std::byte* bytes) const noexcept;
  };
  using Buffer = std::unique_ptr<std::byte, Freed>;

  bool writes(std::size_t region) const noexcept;
  std::int64_t expected(std::size_t region) const;
  Assembly& assembly_of(std::size_t region);
  std::byte* take_buffer();
  Status give_buffer(std::byte*& bytes);
  std::size_t num_open() const;
  Status advance(std::size_t region, Assembly& assembly, std::int64_t num_bytes);
  Status finish(std::size_t region, Assembly& assembly);

  Setting setting_;
  std::vector<std::size_t> awaited_;       // regions, ascending
  std::vector<std::uint8_t> is_complete_;  // by awaited_
  std::size_t lowest_ = 0;                 // of awaited_, that is not complete
  std::size_t num_complete_ = 0;
  std::unordered_map<std::size_t, Assembly> assemblies_;  // by region
  std::vector<Complete> complete_;
  mutable std::mutex mutex_;  // buffers are given back by other threads
  std::vector<Buffer> buffers_;
  std::vector<std::byte*> free_;  // of buffers_
};

}  // namespace shardmark
