// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/mpi/shared_word.hpp"
#include "shardmark/storage/exchange/regions.hpp"

namespace shardmark {

/// Staging that ranks of one node share: slots of one region each, used round and round. Region k
/// has slot k % num_slots in round k / num_slots. Lies in memory that all ranks see, whether they
/// are processes or threads; every rank has a SharedStaging of its own over it.
class SharedStaging {
 public:
  /// Of which loads know whether it is wanted.
  static constexpr std::int64_t block_bytes = 4096;

  struct Shape {
    int num_ranks = 1;
    int num_slots = 1;
    std::int64_t slot_bytes = 0;             // a multiple of both blocks
    bool knows_places = false;               // which bytes have been put: one bit each
    std::int64_t write_block = block_bytes;  // saves: that have one writer
  };
  /// Parts of a slot that one rank may move past it; so many fit into a word.
  static constexpr int num_granules = 16;

  struct Slot {
    SharedWord round;  // the slot is open for this round
    SharedWord
        filled;  // saves: ranks that have put all they have; loads: that have said what they want
    SharedWord ready;  // loads: rounds that have been read
    SharedWord done;   // parties that need it no more in this round
    SharedWord past;   // saves: granules, by bit, that a rank writes from its own memory
    std::atomic<std::int64_t> wanted_bytes = 0;  // loads: of all ranks together
  };

  /// Local. Memory for it on a node of so many ranks where nobody says how much.
  static std::int64_t default_bytes(int num_ranks) noexcept;
  /// Local. The shape for `file_bytes` bytes of files within `budget` bytes of memory (0: 64 MiB a
  /// rank, 512 MiB at most), of slots of `largest_slot` bytes at most: smaller ones for small
  /// files, so that all ranks have some, and whole MiB, for whole granules. `num_slots` fits any
  /// number of regions; see limit_slots().
  static Shape shape_for(int num_ranks, std::int64_t file_bytes, std::int64_t budget,
                         std::int64_t largest_slot) noexcept;
  /// Local. The shape for slots of `slot_bytes`, where ranks elsewhere have cut regions alike.
  static Shape shape_of_slots(int num_ranks, std::int64_t slot_bytes, std::int64_t budget) noexcept;
  /// Local. No more slots than there are regions.
  static void limit_slots(Shape& shape, std::size_t num_regions) noexcept;
  /// Local. Memory that `shape` takes.
  static std::int64_t num_bytes(const Shape& shape) noexcept;
  /// Local; by one rank, before any other begins to use the memory.
  static void prepare(std::span<std::byte> memory, const Shape& shape) noexcept;

  SharedStaging(std::span<std::byte> memory, const Shape& shape) noexcept
      : memory_(memory), shape_(shape) {}

  const Shape& shape() const noexcept { return shape_; }
  int slot_of(std::size_t region) const noexcept {
    return static_cast<int>(region % static_cast<std::size_t>(shape_.num_slots));
  }
  std::uint32_t round_of(std::size_t region) const noexcept {
    return static_cast<std::uint32_t>(region / static_cast<std::size_t>(shape_.num_slots));
  }
  Slot& slot(int number) const noexcept;
  std::byte* bytes(int number) const noexcept;
  /// One bit a block of the slot, in words: what is wanted of it, and what has been read.
  std::span<std::atomic<std::uint64_t>> wanted(int number) const noexcept;
  std::span<std::atomic<std::uint64_t>> read(int number) const noexcept;

  /// Needs knows_places. One bit a byte of the slot.
  std::span<std::atomic<std::uint64_t>> places(int number) const noexcept;
  /// Local. Bytes [begin, end) of the slot have been put there by this rank.
  void mark_place(int number, std::int64_t begin, std::int64_t end) const noexcept;
  /// Local, once all have put theirs. Stretches of the slot that have been put.
  std::vector<ByteRange> put_ranges(int number) const;
  /// Local, once nobody needs the slot any more.
  void forget_places(int number) const noexcept;

  /// Local. From here on nobody waits any more: a rank has failed.
  void fail() const noexcept;
  bool failed() const noexcept;

  /// Local. Waits asleep until `ready(value)`. False if a rank has failed.
  template <typename Ready>
  bool wait(SharedWord& word, const Ready& ready) const noexcept {
    for (std::uint32_t value = word.load(); !ready(value); value = word.load()) {
      if (failed()) {
        return false;
      }
      word.wait_change(value, longest_sleep);
    }
    return !failed();
  }

 private:
  struct Header {
    SharedWord failed;
  };
  // A wake that is lost with a dying rank costs this much.
  static constexpr std::chrono::milliseconds longest_sleep{100};

  static std::int64_t control_bytes(const Shape& shape) noexcept;
  static std::int64_t slot_control_bytes(const Shape& shape) noexcept;
  std::byte* control(int number) const noexcept;
  Header& header() const noexcept;

  std::span<std::byte> memory_;
  Shape shape_;
};

}  // namespace shardmark
