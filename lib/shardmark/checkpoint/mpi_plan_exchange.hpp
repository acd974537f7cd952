// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/plan/merge/plan_exchange.hpp"

namespace shardmark {

/// A real world: this process plays its own rank of a communicator. Messages to the coordinator
/// come one rank after another, so that it never holds more than one of them.
class MpiPlanExchange final : public PlanExchange {
 public:
  /// Both must outlive it. Without a topology every rank counts as its own node.
  explicit MpiPlanExchange(const Communicator& comm, const NodeTopology* topology = nullptr)
      : comm_(comm), topology_(topology), rank_(comm.rank()) {}

  int world_size() const noexcept override { return comm_.size(); }
  std::span<const int> played_ranks() const noexcept override { return {&rank_, 1}; }
  bool is_root() const noexcept override { return comm_.is_root(); }
  int node_of(int rank) const override {
    return topology_ == nullptr ? rank : of_rank(topology_->node_of_rank, rank);
  }

  Status gather(const Make& make, const Take& take) override;
  Status gather_along(const PlanTree& tree, PlanMerge& merge) override;
  Status scatter(const Make& make, const Take& take) override;
  Status scatter_along(const PlanTree& tree, const Make& make, const Take& take) override;
  Status broadcast(Bytes& bytes) override;
  Status all_reduce(std::span<std::uint64_t> values, ReduceOp op) override;
  Status agree(const Status& local) override { return comm_.agree(local); }

 private:
  const Communicator& comm_;
  const NodeTopology* topology_;
  int rank_;
};

}  // namespace shardmark
