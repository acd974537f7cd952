// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// How one rank gets a planned read where replicas are read once.
struct ReadRole {
  static constexpr std::uint32_t alone = ~0U;
  std::uint32_t group = alone;  // of the ranks that want the same piece
  std::int32_t reader = -1;     // the rank of the group that reads it
};

/// Groups of ranks, ascending, at least two in each; the same list on every rank.
using ReplicaGroups = std::vector<std::vector<std::int32_t>>;

/// Local. What a rank wants, for the coordinator.
void encode_wanted_reads(const LoadPlan& plan, ByteWriter& out);

/// The coordinator's part: finds pieces that several ranks want and chooses who reads each, by the
/// rule that balances writers (assign_owners, balanced).
class ReplicaMerge {
 public:
  ReplicaMerge(const EntryTable& entries, int world_size)
      : entries_(entries), world_size_(world_size) {}

  /// Local. Ranks ascending, each once. Errors: data_loss for bytes that encode_wanted_reads()
  /// cannot have written for these entries.
  Status add(int rank, std::span<const std::byte> bytes);

  /// Local. Call once, after the last rank.
  void finish();

  const ReplicaGroups& groups() const noexcept { return groups_; }
  /// Local. The roles of a rank, in the order of its reads, encoded.
  void encode_roles(int rank, ByteWriter& out) const;

 private:
  struct Piece {
    std::int64_t num_bytes = 0;
    std::vector<std::int32_t> ranks;
    ReadRole role;
  };
  using Key = std::tuple<std::uint32_t, std::uint64_t, Box>;  // entry, chunk, box

  const EntryTable& entries_;
  int world_size_;
  std::map<Key, Piece> pieces_;
  std::vector<std::vector<const Piece*>> wanted_;  // by rank, in the order of its reads
  ReplicaGroups groups_;
};

/// Local.
void encode(const ReplicaGroups& groups, ByteWriter& out);
/// Local. Errors: data_loss for ranks outside the world or out of order.
Result<ReplicaGroups> decode_replica_groups(std::span<const std::byte> bytes, int world_size);
/// Local. Errors: data_loss for groups that `rank` is not in, readers that are not in the group, or
/// another number of roles.
Result<std::vector<ReadRole>> decode_roles(std::span<const std::byte> bytes,
                                           const ReplicaGroups& groups, int rank,
                                           std::size_t num_reads);

}  // namespace shardmark
