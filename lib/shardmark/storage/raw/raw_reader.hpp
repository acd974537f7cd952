// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

/// Reads many boxes out of files in few large requests: pieces by file and address, merged across
/// gaps up to a limit and while at most a fifth more is read than needed, several under way at a
/// time. Small requests go through the page cache: whole blocks would be more than they need. What
/// is contiguous in file and memory goes straight there where O_DIRECT allows, all else through
/// staging.
class RawReader {
 public:
  struct Options {
    int threads = 0;  // 0: as many as help
    std::int64_t sieve_gap = 0;
    std::span<const std::uint8_t> hashed;  // by transfer: take its checksum; empty: of none
  };

  RawReader(const Options& options, ReadCounters& counters);
  ~RawReader();

  /// Local. `file_of` gives the open file of a number. `checksums` gets one word for each transfer
  /// that is hashed. Errors: io_error, data_loss where a file ends early.
  Status read(std::span<const RawTransfer<std::byte>> transfers,
              const std::unordered_map<std::uint64_t, RawFile>& files,
              std::span<std::uint64_t> checksums);

 private:
  using Run = RawRun<std::byte>;
  struct Request {
    const RawFile* file = nullptr;
    std::int64_t offset = 0;  // of what is read
    std::int64_t num_bytes = 0;
    std::byte* to = nullptr;  // a staging buffer, or the place itself
    bool staged = false;
    bool past_cache = false;
    std::int64_t needed_end = 0;  // the file must reach at least this far
    std::vector<Run> runs;
    bool done = false;  // under mutex_
    Status status;      // under mutex_
  };

  Status add(const Run& run, const RawFile& file);
  Status read_straight(Run run, const RawFile& file);
  bool fits(const Request& request, const Run& run, const RawFile& file) const;
  Status submit_current();
  static Status read_request(const Request& request);
  Status submit(std::unique_ptr<Request> request);
  Status finish_oldest();
  void deliver(const Request& request);
  void hash(const Run& run);
  std::byte* take_buffer();

  Options options_;
  ReadCounters& counters_;
  std::int64_t gap_budget_ = 0;  // bytes of gaps that may still be read across
  std::vector<StagingPiece> pieces_;
  std::vector<std::byte*> free_;
  std::unique_ptr<Request> current_;
  std::deque<std::unique_ptr<Request>> under_way_;
  std::unordered_map<std::size_t, StreamingChecksum> unfinished_;  // by transfer
  std::span<std::uint64_t> checksums_;
  std::mutex mutex_;
  std::condition_variable changed_;
  IoThreads threads_;  // last: its threads use all of the above
};

}  // namespace shardmark
