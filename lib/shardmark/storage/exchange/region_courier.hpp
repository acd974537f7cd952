// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/message_box.hpp"
#include "shardmark/storage/exchange/arrivals.hpp"
#include "shardmark/storage/exchange/region_output.hpp"
#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/io_counters.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"

namespace shardmark {

/// Deals with the regions that a node has filled, where files have writers on several nodes. Of
/// each region that this rank serves, blocks that the node fills are written from the staging;
/// what it has of other blocks goes to the region's writer, merged into one message, with the count
/// of what that need not wait for. For the regions that this rank writes it puts together what
/// comes. One thread of the rank; it ends when nobody waits for this rank any more.
class RegionCourier {
 public:
  struct Setting {
    std::span<const ExchangedFile> files;
    std::span<const Region> regions;
    int node_rank = 0;                 // among those that share the staging
    std::int64_t least_own_bytes = 0;  // see deal_bytes()
    std::int64_t most_bytes = 0;       // of messages under way, and of regions put together
    int threads = 1;                   // that write
  };
  RegionCourier(const SharedStaging& staging, const Setting& setting, MessageBox& messages,
                RegionOutput& output);

  /// Every rank calls it once, beside whoever fills the regions. Failures are noted in the output,
  /// and are everybody's.
  void run();
  /// From whoever fills the regions, when this rank puts and writes no more beside run(). Until
  /// then a failure can be noted that others have to hear of.
  void end_filling() noexcept { filling_ = false; }

  /// When all is done.
  std::int64_t messages_sent() const noexcept { return messages_sent_; }
  std::int64_t bytes_sent() const noexcept { return bytes_sent_; }

 private:
  Status work();
  bool serve_next(Status& status);
  bool receive(Status& status);
  bool take_pieces(int tag, Status& status);
  bool take(int tag, Status& status);
  Status deal(std::size_t number);
  Status deliver(std::size_t number, int to, const RegionPieces& pieces, const std::byte* bytes);
  void write_own(std::size_t number, std::vector<ByteRange> own);
  void write_complete();
  void release(std::size_t number);

  SharedStaging staging_;
  Setting setting_;
  MessageBox& messages_;
  RegionOutput& output_;
  std::vector<std::size_t> served_;  // regions
  std::size_t next_served_ = 0;
  Arrivals arrivals_;
  std::unique_ptr<IoThreads> io_;
  std::atomic<bool> filling_ = true;
  std::int64_t messages_sent_ = 0;
  std::int64_t bytes_sent_ = 0;
};

}  // namespace shardmark
