// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"

namespace shardmark {

/// Writes bytes to files in large pieces behind the caller's back. Bytes that are neighbours in a
/// file are merged; with O_DIRECT the aligned middle of a piece goes past the page cache, from a
/// staging buffer unless memory and offset agree, and the ragged edges go through the cache, where
/// two ranks may share a block. They wait for the end: a write through the cache locks the file
/// against all that go past it. The checksum is taken in the same pass as the copy.
class RawWriter {
 public:
  /// Local. `threads` 0: as many as help. Counters are added to `counters` by finish().
  RawWriter(int threads, WriteCounters& counters);
  ~RawWriter();

  /// Local. `bytes` must stay until finish(), the file too. Hashes them into `checksum` unless it
  /// is null. Errors: those of earlier writes as well.
  Status put(const RawFile& file, std::span<const std::byte> bytes, std::int64_t offset,
             StreamingChecksum* checksum);

  /// Local. Waits until everything is written. The first error of all.
  Status finish();

  /// Bytes that went through the page cache beside a piece that went past it, to be read back: a
  /// loss there could hide behind a neighbour's bytes.
  struct Edge {
    const RawFile* file = nullptr;
    std::int64_t offset = 0;
    std::int64_t num_bytes = 0;
    std::uint64_t checksum = 0;
  };
  std::vector<Edge> take_edges();

 private:
  struct Segment {
    std::int64_t offset = 0;
    const std::byte* data = nullptr;
    std::int64_t num_bytes = 0;
  };
  struct Job {
    const RawFile* file = nullptr;
    std::vector<Segment> segments;
    std::byte* buffer = nullptr;  // a staging buffer that is free after the job
  };

  Status put_straight(const RawFile& file, std::span<const std::byte> bytes, std::int64_t offset,
                      StreamingChecksum* checksum);
  /// Times hashing and copying, beside writes or alone.
  template <typename Work>
  void work(const Work& hash_and_copy);
  std::span<std::byte> room(const RawFile& file, std::int64_t offset, std::int64_t num_bytes);
  void submit_current();
  void submit(Job job);
  void run(const Job& job);
  Status write_segment(const RawFile& file, const Segment& segment, bool may_wait);
  Status write_cached(const RawFile& file, std::span<const std::byte> bytes, std::int64_t offset,
                      bool may_wait);
  Status write_waiting();
  void note_request(const RawFile& file, const Segment& segment, bool past_cache);
  std::byte* wait_for_buffer();
  bool busy() const noexcept { return in_flight_.load(std::memory_order_relaxed) > 0; }
  Status failure();

  WriteCounters& counters_;
  std::vector<StagingPiece> pieces_;
  std::vector<std::byte*> free_;  // under mutex_
  Job current_;
  std::int64_t used_ = 0;  // bytes of current_.buffer
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<int> in_flight_ = 0;
  Status failed_;            // under mutex_, the first
  std::vector<Edge> edges_;  // under mutex_
  /// Bytes that go through the cache when nothing goes past it any more; copies.
  struct Waiting {
    const RawFile* file = nullptr;
    std::int64_t offset = 0;
    std::span<const std::byte> bytes;  // in waiting_piece_
  };
  std::vector<Waiting> waiting_;               // under mutex_
  std::optional<StagingPiece> waiting_piece_;  // under mutex_, one of the rank's staging buffers
  std::int64_t waiting_bytes_ = 0;             // under mutex_
  WriteCounters own_;                          // under mutex_
  IoThreads threads_;                          // last: its threads use all of the above
};

}  // namespace shardmark
