// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/message_box.hpp"
#include "shardmark/mpi/shared_memory.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/exchange/region_writer.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/posix/striping.hpp"

namespace shardmark {

/// The exchange of one save: which files its ranks write together, and the memory for it.
class SaveExchange {
 public:
  /// Collective, once the files are laid out; the same status on every rank. Errors:
  /// invalid_argument, unsupported where what the options ask for, or the file system needs,
  /// cannot be had.
  static Result<SaveExchange> arrange(const SaveTarget& target, const PlacedFiles& placed,
                                      const StorageOptions& options, const Communicator& comm);

  ExchangeLevel level() const noexcept { return level_; }
  /// Why it is this level.
  const std::string& why() const noexcept { return why_; }
  /// Those that ranks of this rank's node write together.
  std::span<const ExchangedFile> files() const noexcept { return files_; }
  bool has(std::uint64_t file) const noexcept;

  /// Collective; not agreed. Writes this rank's transfers into exchanged files and its part of the
  /// regions. `tiles` are those that leave padding; `open` has files().
  Status write(std::span<const RawTransfer<const std::byte>> transfers,
               std::span<const RawTransfer<const std::byte>> tiles,
               const std::map<std::uint64_t, RawFile>& open, std::span<std::uint64_t> checksums,
               int threads, WriteCounters& counters, PhaseClock& clock);

  /// Local. Without it bytes may be lost.
  bool needed() const noexcept { return needed_; }
  /// Local, on all ranks alike: this save cannot be written at once.
  void give_up(std::string why) {
    level_ = ExchangeLevel::off;
    why_ = std::move(why);
    files_.clear();
  }

  std::vector<RegionWriter::Edge> take_edges() { return std::move(edges_); }

 private:
  explicit SaveExchange(const Communicator& comm) : comm_(&comm) {}

  std::int64_t slot_bytes_for(std::span<const ExchangedFile> files, std::int64_t staging_bytes,
                              int num_writers) const;
  Status share_one_node(const StorageOptions& options);
  Status share_by_node(std::span<const ExchangedFile> files, const PlacedFiles& placed,
                       const StorageOptions& options);
  Status share_memory(const Communicator& sharers);

  const Communicator* comm_;
  ExchangeLevel level_ = ExchangeLevel::off;
  std::string why_;
  bool needed_ = false;
  std::vector<ExchangedFile> files_;
  Striping striping_;             // of each of them
  std::int64_t block_bytes_ = 0;  // that have one writer
  std::vector<Region> regions_;
  int staging_rank_ = 0;  // among those that share the staging
  std::int64_t least_own_bytes_ = 0;
  std::int64_t most_bytes_ = 0;
  std::unique_ptr<MpiMessageBox> messages_;  // where not all share the staging
  SharedStaging::Shape shape_;
  std::optional<SharedMemory> memory_;
  std::vector<RegionWriter::Edge> edges_;
};

/// Collective; not agreed. Rank 0 alone writes all checksums of the save, each rank's of its tasks,
/// in one request.
Status write_checksums_on_root(const PlacedFiles& placed, std::span<const WriteTask> tasks,
                               std::span<const std::uint64_t> checksums, std::uint64_t num_chunks,
                               const Communicator& comm, WriteCounters& counters);

}  // namespace shardmark
