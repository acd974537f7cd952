// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/plan/load/replica_reads.hpp"
#include "shardmark/storage/contract/storage_reader.hpp"

namespace shardmark {

/// Reads once what several ranks want: one of them reads, the others get the bytes over MPI. For
/// readers that know no exchange.
class ReplicaBroadcast {
 public:
  /// Largest slice on its way; the only memory beside the tensors themselves.
  static constexpr std::int64_t max_staging_bytes = std::int64_t{16} << 20;

  explicit ReplicaBroadcast(const Communicator& comm) : comm_(comm) {}

  /// Collective. Rank 0 hears what every rank wants and says who reads what. Errors: data_loss, the
  /// same on all ranks.
  Status plan(const LoadPlan& plan, const EntryTable& entries);

  /// Local, after plan(). Whether this rank itself reads the planned read of that number.
  bool reads(std::size_t number) const noexcept {
    return roles_[number].group == ReadRole::alone || roles_[number].reader == comm_.rank();
  }

  /// Collective, after all ranks have read their part into `tasks` (one a planned read, in its
  /// order): gives every rank the rest.
  void distribute(std::span<const ReadTask> tasks);

  /// Bytes that this rank got from others.
  std::int64_t bytes_received() const noexcept { return bytes_received_; }

 private:
  void distribute_group(std::uint32_t group, std::span<const ReadTask> tasks,
                        std::span<const std::size_t> numbers);
  void send_piece(const Communicator& group, int reader, const TensorView& elements);

  const Communicator& comm_;
  ReplicaGroups groups_;
  std::vector<ReadRole> roles_;  // by planned read
  std::vector<std::byte> staging_;
  std::int64_t bytes_received_ = 0;
};

}  // namespace shardmark
