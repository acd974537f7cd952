// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "shardmark/plan/merge/merged_plans.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::VirtualState;

/// Everything that a plan says: the tables as a manifest holds them, owners, every rank's writes.
struct PlanBytes {
  std::vector<std::byte> tables;
  std::vector<std::int32_t> owners;
  std::vector<std::vector<std::byte>> by_rank;
  std::vector<std::int64_t> rank_bytes;
  std::vector<std::uint32_t> rank_items;
  std::vector<std::int64_t> rank_held_bytes;
  friend bool operator==(const PlanBytes&, const PlanBytes&) = default;
};

PlanBytes plan_bytes(SavePlanner& planner, VirtualState& state, int ranks_per_node) {
  PlanBytes bytes;
  LocalPlanExchange exchange(state.world_size(), ranks_per_node);
  std::vector<SavePlan> plans;
  const auto planning = planner.plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                                        state.move_to(rank);
                                        return &state.state;
                                      },
                                      .exchange = exchange,
                                      .take =
                                          [&](int, const std::shared_ptr<const SavePlan>& plan) {
                                            plans.push_back(*plan);
                                            return Status();
                                          }});
  EXPECT_TRUE(planning) << planning.error().message;
  if (!planning) {
    return bytes;
  }
  ByteWriter tables;
  encode(*planning->entries, tables);
  encode(planning->global->chunks, *planning->entries, tables);
  bytes.tables = std::move(tables).take();
  bytes.owners = planning->global->owners;
  for (const SavePlan& plan : plans) {
    ByteWriter out;
    encode(plan, *planning->entries, out);
    bytes.by_rank.push_back(std::move(out).take());
  }
  const SavePlanStatistics& statistics = planning->global->statistics;
  bytes.rank_bytes = statistics.rank_bytes;
  bytes.rank_items = statistics.rank_items;
  bytes.rank_held_bytes = statistics.rank_held_bytes;
  return bytes;
}

TEST(TreeSavePlanner, GivesTheCoordinatorsPlanByteByByte) {
  RandomSource random;
  for (int round = 0; round < 40 && !::testing::Test::HasFailure(); ++round) {
    VirtualState state(random, static_cast<int>(1 + random.number(40)), 6, random.one_in(2));
    const auto per_node = static_cast<int>(1 + random.number(9));
    for (const DedupPolicy policy :
         {DedupPolicy::balanced, DedupPolicy::lowest_rank, DedupPolicy::dcp, DedupPolicy::split}) {
      SCOPED_TRACE(fmt::format("{} world {}, {} a node", dedup_policy_name(policy),
                               state.world_size(), per_node));
      const auto coordinator = make_coordinator_save_planner(policy);
      const auto tree = make_tree_save_planner(policy);
      EXPECT_TRUE(plan_bytes(*coordinator, state, per_node) == plan_bytes(*tree, state, per_node));
    }
  }
}

TEST(TreeSavePlanner, AReplicatedTensorReachesRankZeroOnceFromEachNeighbour) {
  constexpr int world_size = 256;
  constexpr int num_tensors = 50;
  testing::BoxState state;
  for (int i = 0; i < num_tensors; ++i) {
    state.add(fmt::format("layers.{}.norm", i), {{64}, Dtype::float32, {whole_box({64})}});
  }
  const auto bytes_at_root = [&](std::unique_ptr<SavePlanner> planner) {
    LocalPlanExchange exchange(world_size, 8);
    const auto planned = planner->plan(
        {.state_dict_of = [&](int) -> Result<const StateDict*> { return &state.state; },
         .exchange = exchange,
         .take = [](int, const std::shared_ptr<const SavePlan>&) { return Status(); }});
    EXPECT_TRUE(planned);
    return exchange.traffic().gathered_by_level.front();
  };
  const LevelTraffic flat = bytes_at_root(make_coordinator_save_planner(DedupPolicy::balanced));
  const LevelTraffic tree = bytes_at_root(make_tree_save_planner(DedupPolicy::balanced));
  EXPECT_EQ(flat.messages, 255U);
  EXPECT_EQ(tree.messages, 7U + 5U);  // its node's other ranks, and log2 of 32 nodes
  EXPECT_LT(tree.bytes, flat.bytes / 15);
}

}  // namespace
}  // namespace shardmark
