// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/message_box.hpp"
#include "shardmark/mpi/node_group.hpp"
#include "shardmark/mpi/shared_memory.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/storage_reader.hpp"
#include "shardmark/storage/exchange/region_reader.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"

namespace shardmark {

/// The exchange of one load: whether its ranks read together, what of the files, and who hashes
/// what.
class LoadExchange {
 public:
  /// Collective; the same status on every rank. Errors: unsupported where what the options ask for
  /// cannot be had.
  static Result<LoadExchange> arrange(std::span<const ReadTask> tasks, const Manifest& manifest,
                                      const ReadOptions& options, const Communicator& comm);

  ExchangeLevel level() const noexcept { return level_; }
  /// Why it is this level.
  const std::string& why() const noexcept { return why_; }

  /// Collective; the same status on every rank. `directory` is that of the step.
  Status read(const std::string& directory, const Manifest& manifest,
              std::span<const ReadTask> tasks, ReadCounters& counters, PhaseClock* clock);

  /// What this rank has hashed.
  std::vector<HashedChunk> take_hashed() { return std::move(hashed_); }

 private:
  /// What all ranks together want, in bytes.
  struct Wishes {
    std::int64_t total = 0;
    std::int64_t repeated = 0;  // that more than one rank wants
  };

  LoadExchange(const ReadOptions& options, const Communicator& comm)
      : options_(options), comm_(&comm), sharers_(&comm) {}

  Wishes add_up(std::span<const ReadTask> tasks, const Manifest& manifest,
                const Communicator& ranks) const;
  void decide(const Wishes& wishes, std::span<const ReadTask> tasks, const Manifest& manifest);
  void decide_by_pieces(const Wishes& wishes, std::span<const ReadTask> tasks,
                        const Manifest& manifest);
  Status decide_for_nodes(std::span<const ReadTask> tasks, const Manifest& manifest,
                          const Wishes& wishes);
  void cut_regions(std::span<const ReadTask> tasks, const Manifest& manifest);
  void keep_own_regions(std::span<const std::int64_t> ends, std::span<const std::uint64_t> here,
                        std::span<const std::uint64_t> nodes);
  bool reads(const ReadRegion& region) const noexcept;
  void deal_chunks(std::span<const ReadTask> tasks, const Manifest& manifest);
  Status share_memory();
  Status open_files(const std::string& directory, const Manifest& manifest);

  ReadOptions options_;
  const Communicator* comm_;                 // all ranks
  const Communicator* sharers_;              // of the staging
  std::unique_ptr<NodeGroup> group_;         // where there are several nodes
  std::unique_ptr<MpiMessageBox> messages_;  // where nodes read together
  std::int64_t most_bytes_ = 0;
  ExchangeLevel level_ = ExchangeLevel::off;
  std::int64_t repeated_bytes_ = 0;
  std::string why_;
  std::vector<ReadRegion> regions_;
  std::vector<std::uint64_t> files_;          // numbers of those that regions_ lie in
  std::vector<std::optional<RawFile>> open_;  // likewise; those that this rank reads
  std::vector<std::uint8_t> hashes_task_;     // by task
  std::vector<HashedChunk> watched_chunks_;
  std::vector<RegionReader::Watched> watched_;
  SharedStaging::Shape shape_;
  std::optional<SharedMemory> memory_;
  std::vector<HashedChunk> hashed_;
};

}  // namespace shardmark
