// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

enum class ReduceOp : std::uint8_t { sum, max, min, bit_or };

/// What planners need of other ranks, and nothing else: they are free of MPI. One process may play
/// one rank of a real world (checkpoint implements it over a Communicator) or every rank of a
/// virtual one (LocalPlanExchange): same planner code, same bytes on the wire.
///
/// All member functions but the queries are collective over the processes. A failure on one is the
/// same failure on all.
class PlanExchange {
 public:
  using Bytes = std::vector<std::byte>;
  using Make = std::function<Result<Bytes>(int rank)>;
  using Take = std::function<Status(int rank, std::span<const std::byte> bytes)>;

  virtual ~PlanExchange() = default;

  virtual int world_size() const noexcept = 0;
  /// The ranks that this process plays, ascending.
  virtual std::span<const int> played_ranks() const noexcept = 0;
  /// True where rank 0, the coordinator, is played.
  virtual bool is_root() const noexcept = 0;
  virtual int node_of(int rank) const = 0;

  /// Every rank's message to the coordinator: `make` is called for each played rank, `take` on the
  /// coordinator for each rank in ascending order. One message is held at a time, whatever the
  /// world size.
  virtual Status gather(const Make& make, const Take& take) = 0;
  /// The coordinator's message to every rank: `make` there, `take` for each played rank.
  virtual Status scatter(const Make& make, const Take& take) = 0;
  /// The coordinator's bytes to every process.
  virtual Status broadcast(Bytes& bytes) = 0;
  virtual Status all_reduce(std::span<std::uint64_t> values, ReduceOp op) = 0;
  /// The lowest failing rank's error on all processes, or success.
  virtual Status agree(const Status& local) = 0;
};

/// What a planner has sent, over all ranks.
struct PlanTraffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes_gathered = 0;
  std::uint64_t bytes_scattered = 0;
  std::uint64_t bytes_broadcast = 0;  // payload times receiving ranks
};

/// A virtual world of any size inside one process. Counts what a real one would send.
class LocalPlanExchange final : public PlanExchange {
 public:
  explicit LocalPlanExchange(int world_size, int ranks_per_node = 8);
  /// Plays a sample of the world, rank 0 among it, ascending: enough where ranks do the same
  /// whatever the others say.
  LocalPlanExchange(int world_size, std::vector<int> played_ranks, int ranks_per_node = 8);

  int world_size() const noexcept override { return world_size_; }
  std::span<const int> played_ranks() const noexcept override { return ranks_; }
  bool is_root() const noexcept override { return true; }
  int node_of(int rank) const override { return rank / ranks_per_node_; }

  Status gather(const Make& make, const Take& take) override;
  Status scatter(const Make& make, const Take& take) override;
  Status broadcast(Bytes& bytes) override;
  Status all_reduce(std::span<std::uint64_t> values, ReduceOp op) override;
  Status agree(const Status& local) override { return local; }

  const PlanTraffic& traffic() const noexcept { return traffic_; }

 private:
  int world_size_;
  std::vector<int> ranks_;
  int ranks_per_node_;
  PlanTraffic traffic_;
};

}  // namespace shardmark
