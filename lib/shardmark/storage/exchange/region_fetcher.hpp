// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/message_box.hpp"
#include "shardmark/storage/exchange/region_input.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"

namespace shardmark {

/// Gets regions into a node's staging where each is read by one rank of all nodes: of those that
/// this rank serves and another reads, it says what its node wants, merged, and takes the answer;
/// of those that it reads, it hears what other nodes want, reads all of it once and answers. One
/// thread of the rank; it ends when nobody waits for this rank any more.
class RegionFetcher {
 public:
  struct Setting {
    std::span<const ReadRegion> regions;
    int node_rank = 0;            // among those that share the staging
    std::int64_t most_bytes = 0;  // of answers under way
    int threads = 1;              // that read
  };
  RegionFetcher(const SharedStaging& staging, const Setting& setting, MessageBox& messages,
                RegionInput& input);

  /// Every rank calls it once, beside whoever says what is wanted and takes it. Failures are noted
  /// in the input, and are everybody's.
  void run();

  /// When all is done.
  std::int64_t messages_sent() const noexcept { return messages_sent_; }

 private:
  struct Wish {
    int from = 0;
    std::vector<ByteRange> ranges;  // of the slot
  };
  struct Wishes {
    std::vector<Wish> of;  // other nodes
    std::int64_t num_bytes = 0;
  };

  Status work();
  bool serve_next(Status& status);
  bool receive(Status& status);
  std::optional<std::size_t> place_of(std::uint64_t number) const;
  Status take_wish(int from, std::span<const std::byte> message);
  Status take_answer(std::span<const std::byte> message);
  void ask(std::size_t number);
  void read(std::size_t number);
  bool answer_finished();
  void make_ready(std::size_t number);

  SharedStaging staging_;
  Setting setting_;
  MessageBox& messages_;
  RegionInput& input_;
  std::vector<std::size_t> served_;  // regions, ascending
  std::size_t next_served_ = 0;
  std::size_t num_ready_ = 0;                                      // of served_
  std::unordered_map<std::size_t, Wishes> wishes_;                 // by region that this rank reads
  std::unordered_map<std::size_t, std::vector<ByteRange>> asked_;  // by region
  std::mutex mutex_;
  std::vector<std::size_t> finished_;  // under mutex_: regions that have been read
  std::unique_ptr<IoThreads> io_;
  std::int64_t messages_sent_ = 0;
};

}  // namespace shardmark
