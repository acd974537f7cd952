// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "bench/harness/measure/visibility.hpp"

namespace shardmark::bench {
namespace {

TEST(Observers, OneOnEveryOtherNodeElseTheHighestRank) {
  NodeTopology topology;
  topology.host_of_node = {"a", "b", "c"};
  topology.node_of_rank = {0, 0, 1, 1, 2};
  EXPECT_EQ(observing_ranks(topology), (std::vector<int>{2, 4}));
  topology.host_of_node = {"a"};
  topology.node_of_rank = {0, 0, 0};
  EXPECT_EQ(observing_ranks(topology), std::vector<int>{2});
  topology.node_of_rank = {0};
  EXPECT_TRUE(observing_ranks(topology).empty());
}

}  // namespace
}  // namespace shardmark::bench
