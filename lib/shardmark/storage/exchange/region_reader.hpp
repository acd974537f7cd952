// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/message_box.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/exchange/region_input.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

/// One rank's part in reading files together with the ranks of its node. All walk the files
/// upwards, region by region, twice: ahead, to say what they want of it, and behind, to copy it out
/// of the shared staging. Between the two, one rank reads what anybody wants, once and in large
/// requests. A chunk's checksum is taken by one rank, in the chunk's own order, as its regions
/// pass. Where ranks of several nodes read together, each node has a staging of its own, and a
/// RegionFetcher gets there what another node's rank reads.
class RegionReader {
 public:
  struct Setting {
    std::span<const ReadRegion> regions;         // ascending, the same on all of them
    std::span<const std::uint64_t> numbers;      // of the files
    std::span<const RawFile* const> open_files;  // one each; null where this rank reads nothing
    int rank = 0;                                // among those that share the staging
    int threads = 0;                             // that read; 0: as many as help
    std::int64_t sieve_gap = 0;                  // read across gaps up to this
    MessageBox* messages = nullptr;              // of all ranks; null where each node reads its own
    std::int64_t most_bytes = 0;                 // with messages: that are under way to others
  };
  /// Local. `clock` may be null; it is told of phases read and exchange.
  RegionReader(const SharedStaging& staging, const Setting& setting, ReadCounters& counters,
               PhaseClock* clock);

  /// What this rank is to hash besides: all of a box, if all of it is read.
  struct Watched {
    StoredPiece piece;
    Box box;
    Dtype dtype = Dtype::uint8;
  };
  /// Every rank of the staging calls it once. `hashed`, by transfer: take its checksum, into
  /// `checksums`. `watched_checksums` gets one each, nothing where some of the box was not read.
  /// Errors: io_error, data_loss where a file ends early; of this rank: where another has failed it
  /// ends early without one, so the caller agrees on the status.
  Status read(std::span<const RawTransfer<std::byte>> transfers,
              std::span<const std::uint8_t> hashed, std::span<std::uint64_t> checksums,
              std::span<const Watched> watched,
              std::span<std::optional<std::uint64_t>> watched_checksums);

 private:
  using Run = RawRun<std::byte>;
  /// A walk over runs that can stop in the middle of one.
  struct Walk {
    TransferRuns<std::byte> runs;
    std::optional<Run> pending;
  };

  template <typename Miss, typename Take>
  void take_region(Walk& walk, std::size_t number, const Miss& miss, const Take& take);
  bool is_open(std::size_t number) const;
  bool announce(std::size_t number, Walk& walk);
  bool deliver(std::size_t number, Walk& walk, Walk& watching);
  void copy(const Run& run, const std::byte* from);
  void give_up(std::size_t watched);
  void watch(const Run& run, const std::byte* from, int slot, std::int64_t offset_in_slot);
  Status serve();
  void enter_phase();

  SharedStaging staging_;
  Setting setting_;
  ReadCounters& counters_;
  PhaseClock* clock_;
  std::span<const std::uint8_t> hashed_;
  std::span<std::uint64_t> checksums_;
  std::span<std::optional<std::uint64_t>> watched_checksums_;
  std::unordered_map<std::size_t, StreamingChecksum> unfinished_;          // by transfer
  std::unordered_map<std::size_t, StreamingChecksum> unfinished_watched_;  // by watched box
  std::vector<std::uint8_t> given_up_;                                     // likewise
  std::vector<std::size_t> served_;  // regions that this rank reads for its node
  std::atomic<std::size_t> next_served_ = 0;
  RegionInput input_;
};

}  // namespace shardmark
