// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "shardmark/core/progress.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. Nanoseconds of the steady clock, which all processes of a node share.
std::int64_t board_time_ns() noexcept;

/// What one rank shows to the watcher of its node. Times are those of
/// board_time_ns().
struct RankSlot {
  Progress progress;
  std::atomic<std::int32_t> pid = 0;  // 0: nobody is here
  std::atomic<std::int32_t> rank = 0;
  std::atomic<std::int64_t> operation = 0;    // counts operations
  std::atomic<std::int64_t> begun_ns = 0;     // of the one under way
  std::atomic<std::int64_t> deadline_ns = 0;  // 0: none is under way
  PublishedText what;                         // it is
  std::atomic<bool> must_leave = false;       // set by the watcher, read after a signal of its
};

/// Memory that the ranks of one node and their watcher share: a file without a name, which lies on
/// no storage.
class WatchBoard {
 public:
  static constexpr std::size_t max_slots = 1024;

  struct Header {
    std::uint64_t id = 0;                     // tells it from another file of the same number
    std::atomic<std::int32_t> num_slots = 1;  // of this node's ranks
    std::atomic<std::int32_t> num_ranks = 1;  // of all nodes
    std::atomic<std::int32_t> watcher = 0;    // its process
    std::atomic<bool> ends = true;            // whether late ranks end the run
    std::atomic<bool> is_json = false;        // whether standard output is one JSON document
  };

  /// Local. Errors: io_error where the kernel gives no such memory.
  static Result<std::unique_ptr<WatchBoard>> make();
  /// Local. The board of another process of this node. Errors: io_error where it cannot be had.
  static Result<std::unique_ptr<WatchBoard>> join(const std::string& path, std::uint64_t id);

  WatchBoard(const WatchBoard&) = delete;
  WatchBoard& operator=(const WatchBoard&) = delete;
  ~WatchBoard();

  Header& header() noexcept { return contents_->header; }
  RankSlot& slot(std::size_t number) noexcept { return contents_->slots[number]; }
  /// A fresh one, for the calling process.
  RankSlot& take_slot(std::size_t number) noexcept;
  /// Where other processes find it while this one lives.
  std::string path() const;
  int descriptor() const noexcept { return file_; }

 private:
  struct Contents {
    Header header;
    RankSlot slots[max_slots];
  };

  WatchBoard(int file, void* memory) : file_(file), contents_(static_cast<Contents*>(memory)) {}
  static Result<std::unique_ptr<WatchBoard>> map(int file);

  int file_;
  Contents* contents_;  // zeros are a valid board: what was never touched takes no memory
};

}  // namespace shardmark::bench
