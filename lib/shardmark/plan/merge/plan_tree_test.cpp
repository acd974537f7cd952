// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <numeric>
#include <vector>

#include "shardmark/plan/merge/plan_tree.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;

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

}  // namespace
}  // namespace shardmark
