// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/message_box.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/exchange/region_output.hpp"
#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

/// One rank's part in writing files together with the ranks of its node. All walk the files
/// upwards, region by region: each puts its bytes to their place in a slot of the shared staging
/// and hashes them in the same pass; when the last has done so, the region's writer writes it,
/// while the next regions fill. Large pieces whose memory agrees with the file go straight from
/// there. So every block is written once, by one rank, and in large requests however finely shards
/// interleave. Where ranks of several nodes write the files, each node has a staging of its own,
/// and what it does not fill goes to other nodes by a RegionCourier.
class RegionWriter {
 public:
  struct Setting {
    std::span<const ExchangedFile> files;        // ascending by number
    std::span<const RawFile* const> open_files;  // one each
    std::span<const Region> regions;             // of the files
    int rank = 0;                                // among those that share the staging
    int threads = 0;                             // that write; 0: as many as help
    MessageBox* messages = nullptr;              // of all ranks; null where all share the staging
    std::int64_t least_own_bytes = 0;            // with messages: see deal_bytes()
    std::int64_t most_bytes = 0;                 // likewise: that are under way to others
  };
  /// Local. `clock` may be null; it is told of phases write and exchange.
  RegionWriter(const SharedStaging& staging, const Setting& setting, WriteCounters& counters,
               PhaseClock* clock);
  ~RegionWriter();

  /// Every rank of the staging calls it once. `transfers` of this rank, in the exchanged files
  /// only; `checksums` gets one word each unless it is empty. Errors: of this rank; where another
  /// has failed it ends early without one, so the caller agrees on the status.
  Status write(std::span<const RawTransfer<const std::byte>> transfers,
               std::span<std::uint64_t> checksums);

  using Edge = RawWriter::Edge;
  /// Elements in the keeper's blocks, to be read back.
  std::vector<Edge> take_edges() { return output_.take_edges(); }

 private:
  using Run = RawRun<const std::byte>;

  bool fill(std::size_t number, TransferRuns<const std::byte>& runs);
  void place(const Run& run, std::size_t number);
  ByteRange straight_part(const Run& run, const Region& region) const;
  void write_straight(std::size_t file, std::span<const std::byte> bytes, std::int64_t offset);
  template <typename Work>
  void work(const Work& hash_and_copy);
  void hash(const Run& run, ByteRange part, std::byte* copy_to);
  void find_own_regions();
  Status serve();
  void write_region(std::size_t number);
  std::vector<ByteRange> own_ranges(const Region& region, std::uint32_t past) const;
  Status write_kept(const Region& region, const std::byte* from);
  void enter_phase();
  std::int64_t granule_bytes() const noexcept {
    return staging_.shape().slot_bytes / SharedStaging::num_granules;
  }

  SharedStaging staging_;
  Setting setting_;
  WriteCounters& counters_;
  PhaseClock* clock_;
  RegionOutput output_;
  std::vector<std::vector<ByteRange>> gaps_;           // by file
  std::vector<std::vector<ByteRange>> kept_elements_;  // by file
  std::vector<std::size_t> own_regions_;               // that this rank writes or keeps part of
  std::atomic<std::size_t> next_own_ = 0;
  std::optional<Run> pending_;
  std::unordered_map<std::size_t, StreamingChecksum> unfinished_;  // by transfer
  std::span<std::uint64_t> checksums_;
  std::unique_ptr<IoThreads> straight_;
};

/// Local. The bytes that boxes leave unused of tiles which are theirs alone, as transfers whose
/// rows are all the zeros at `zeros`; and the bytes of the longest such row.
std::vector<RawTransfer<const std::byte>> padding_of(
    std::span<const RawTransfer<const std::byte>> tiles, const std::byte* zeros);
std::int64_t longest_padding_row(std::span<const RawTransfer<const std::byte>> tiles);

}  // namespace shardmark
