// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/merge/plan_tree.hpp"

namespace shardmark {

enum class ReduceOp : std::uint8_t { sum, max, min, bit_or };

/// What a rank does where messages meet on their way to rank 0. Called in this order: begin(),
/// take() for each child, ascending, and make().
class PlanMerge {
 public:
  using Bytes = std::vector<std::byte>;
  virtual ~PlanMerge() = default;

  /// The rank's own part.
  virtual Status begin(int rank) = 0;
  /// What `child` has made of its part of the tree.
  virtual Status take(int rank, int child, std::span<const std::byte> bytes) = 0;
  /// For the parent. Not asked of rank 0.
  virtual Result<Bytes> make(int rank) = 0;
};

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
  /// Local. For which of its ranks this process acts from here on, after a collective: for clocks
  /// of virtual ranks. One that plays a single rank has nothing to do.
  virtual void go_on_as(int /*rank*/) {}

  /// Every rank's message to the coordinator: `make` is called for each played rank, `take` on the
  /// coordinator for each rank in ascending order. One message is held at a time, whatever the
  /// world size.
  virtual Status gather(const Make& make, const Take& take) = 0;
  /// The same along a tree, merged where messages meet. For worlds all of whose ranks are played.
  virtual Status gather_along(const PlanTree& tree, PlanMerge& merge) = 0;
  /// The coordinator's message to every rank: `make` there, `take` for each played rank.
  virtual Status scatter(const Make& make, const Take& take) = 0;
  /// The same along a tree: those for one part of it travel together.
  virtual Status scatter_along(const PlanTree& tree, const Make& make, const Take& take) = 0;
  /// The coordinator's bytes to every process.
  virtual Status broadcast(Bytes& bytes) = 0;
  virtual Status all_reduce(std::span<std::uint64_t> values, ReduceOp op) = 0;
  /// The lowest failing rank's error on all processes, or success.
  virtual Status agree(const Status& local) = 0;
};

/// What a planner has sent towards rank 0, from ranks as many steps away from it.
struct LevelTraffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t largest_bytes = 0;  // of one message
};

/// What a planner has sent, over all ranks.
struct PlanTraffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes_gathered = 0;
  std::uint64_t bytes_scattered = 0;
  std::uint64_t bytes_broadcast = 0;            // payload times receiving ranks
  std::vector<LevelTraffic> gathered_by_level;  // from the ranks next to rank 0 on
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
  void go_on_as(int rank) override { turn(rank, 0); }

  Status gather(const Make& make, const Take& take) override;
  Status gather_along(const PlanTree& tree, PlanMerge& merge) override;
  Status scatter(const Make& make, const Take& take) override;
  Status scatter_along(const PlanTree& tree, const Make& make, const Take& take) override;
  Status broadcast(Bytes& bytes) override;
  Status all_reduce(std::span<std::uint64_t> values, ReduceOp op) override;
  Status agree(const Status& local) override {
    turn(0, everybody);
    return local;
  }

  const PlanTraffic& traffic() const noexcept { return traffic_; }

  /// Who acts next, and the rank whose message it has waited for: itself for none, `everybody`
  /// after a collective. For clocks of virtual ranks.
  using OnTurn = std::function<void(int rank, int waited_for)>;
  static constexpr int everybody = -1;
  void set_on_turn(OnTurn on_turn) { on_turn_ = std::move(on_turn); }

 private:
  void turn(int rank, int waited_for) const {
    if (on_turn_) {
      on_turn_(rank, waited_for);
    }
  }
  void count_gathered(int level, std::size_t num_bytes);
  /// What the part of the tree under `rank` sends up.
  Result<Bytes> gather_part(const PlanTree& tree, int rank, PlanMerge& merge);

  int world_size_;
  std::vector<int> ranks_;
  int ranks_per_node_;
  PlanTraffic traffic_;
  OnTurn on_turn_;
};

}  // namespace shardmark
