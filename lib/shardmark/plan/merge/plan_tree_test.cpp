// SPDX-License-Identifier: Apache-2.0
// The tree planner against the coordinator, whose result it must give byte by byte.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "shardmark/plan/merge/merged_plans.hpp"
#include "shardmark/plan/merge/plan_tree.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::VirtualState;
using ::testing::HasSubstr;

/// Every rank below `rank`, found by asking for children.
std::vector<int> ranks_below(const PlanTree& tree, int rank) {
  std::vector<int> ranks = {rank};
  for (const int child : tree.children_of(rank)) {
    EXPECT_EQ(tree.parent_of(child), rank);
    EXPECT_EQ(tree.level_of(child), tree.level_of(rank) + 1);
    const std::vector<int> more = ranks_below(tree, child);
    ranks.insert(ranks.end(), more.begin(), more.end());
  }
  return ranks;
}

TEST(PlanTree, EveryRankSpeaksForTheRanksThatFollowIt) {
  RandomSource random;
  for (int round = 0; round < 50; ++round) {
    const auto world_size = static_cast<int>(1 + random.number(70));
    const auto per_node = static_cast<int>(1 + random.number(9));
    const auto num_nodes = (world_size + per_node - 1) / per_node;
    const bool round_robin = random.one_in(4);
    const PlanTree tree(world_size,
                        [&](int rank) { return round_robin ? rank % num_nodes : rank / per_node; });
    EXPECT_EQ(tree.parent_of(0), -1);
    EXPECT_EQ(tree.level_of(0), 0);
    for (int rank = 0; rank < world_size; ++rank) {
      std::vector<int> expected(static_cast<std::size_t>(tree.end_of(rank) - rank));
      std::iota(expected.begin(), expected.end(), rank);
      EXPECT_EQ(ranks_below(tree, rank), expected);
    }
    EXPECT_EQ(tree.end_of(0), world_size);
  }
}

TEST(PlanTree, NoRankHearsOfMoreThanItsNodeAndAFewLeaders) {
  const PlanTree tree(1000, [](int rank) { return rank / 8; });
  for (int rank = 0; rank < 1000; ++rank) {
    EXPECT_LE(tree.children_of(rank).size(), 7U + 7U);  // ranks of its node, log2 of 125 nodes
    EXPECT_LE(tree.level_of(rank), 8);
  }
}

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

/// What a part of a tree would send, from what random ranks hold.
ByteWriter merged_bytes(VirtualState& state, int first, int end, bool ordered) {
  MergedPlans merged(first, ordered);
  std::vector<WriteItem> items;
  for (int rank = first; rank < end; ++rank) {
    state.move_to(rank);
    EXPECT_TRUE(collect_write_items(state.state, items));
    ByteWriter out;
    EXPECT_TRUE(encode_local_save_plan(items, EmptyBoxes::keep, out));
    EXPECT_TRUE(merged.add(rank, out.bytes()));
  }
  ByteWriter out;
  encode(merged, out);
  return out;
}

TEST(MergedPlans, ComeBackTheSame) {
  RandomSource random;
  for (int round = 0; round < 30; ++round) {
    VirtualState state(random, 9, 5, true);
    const bool ordered = random.one_in(2);
    const ByteWriter bytes = merged_bytes(state, 2, 9, ordered);
    MergedPlans again(2, ordered);
    const Status added = again.add_merged({2, 9}, bytes.bytes());
    ASSERT_TRUE(added) << added.error().message;
    again.bytes_gathered -= bytes.size();
    ByteWriter out;
    encode(again, out);
    EXPECT_TRUE(std::equal(out.bytes().begin(), out.bytes().end(), bytes.bytes().begin(),
                           bytes.bytes().end()));
  }
}

TEST(MergedPlans, DamagedBytesAreRefusedOrHarmless) {
  RandomSource random;
  VirtualState state(random, 5, 4, true);
  const ByteWriter whole = merged_bytes(state, 0, 5, true);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    MergedPlans merged(0, true);
    const Status added = merged.add_merged({0, 5}, whole.bytes().first(size));
    ASSERT_FALSE(added) << size;
    EXPECT_EQ(added.error().code, ErrorCode::data_loss);
    EXPECT_THAT(added.error().message, HasSubstr("plans of ranks 0 to 4: "));
  }
  std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte kept = bytes[i];
    bytes[i] ^= static_cast<std::byte>(1 + random.number(255));
    MergedPlans merged(0, true);
    static_cast<void>(merged.add_merged({0, 5}, bytes));
    bytes[i] = kept;
  }
  MergedPlans others(0, true);
  EXPECT_FALSE(others.add_merged({0, 4}, whole.bytes()));
}

TEST(MergedPlans, AChunkOfLargeExtentsTakesAtMost64Bytes) {
  constexpr int num_chunks = 1000;
  LocalSavePlan local;
  const Dims sizes = {(std::int64_t{1} << 32) - 1, 1 << 16, 1 << 7, 1 << 7};
  local.entries.push_back({"w", EntryKind::tensor, Dtype::int8, sizes, 0, num_chunks});
  for (int i = 0; i < num_chunks; ++i) {
    local.boxes.push_back({{sizes[0] - num_chunks + i, 0, 0, 0}, {1, sizes[1], sizes[2], 1 << 7}});
  }
  ByteWriter one;
  encode(local, one);
  MergedPlans merged;
  ASSERT_TRUE(merged.add(0, one.bytes()));
  ByteWriter out;
  encode(merged, out);
  EXPECT_LE(out.size(), 64U * num_chunks);
}

}  // namespace
}  // namespace shardmark
