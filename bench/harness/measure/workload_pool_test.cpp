// SPDX-License-Identifier: Apache-2.0
// Workloads are kept while they fit, the last used first; virtual ranks are spread over their
// world.
#include "bench/harness/measure/workload_pool.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace shardmark::bench {
namespace {

Config tiny(const std::string& strategy) {
  Config config;
  config.model.name = "tiny";
  config.parallel.strategy = strategy;
  return config;
}

TEST(WorkloadPool, KeepsWhatFitsAndGivesTheSameAgain) {
  WorkloadPool vast(0, 2, std::int64_t{1} << 40);
  Workload* const ddp = *vast.get(tiny("ddp"), Memory::allocate);
  Workload* const fsdp = *vast.get(tiny("fsdp"), Memory::allocate);
  EXPECT_NE(ddp, fsdp);
  EXPECT_EQ(*vast.get(tiny("ddp"), Memory::allocate), ddp);
  EXPECT_NE(*vast.get(tiny("ddp"), Memory::none), ddp) << "that one has no elements";

  // Room for one of them: the other is made again, with nothing of what it held.
  WorkloadPool small(0, 2, ddp->local_num_bytes());
  (*small.get(tiny("ddp"), Memory::allocate))->fill(5);
  ASSERT_TRUE((*small.get(tiny("ddp"), Memory::allocate))->check(5)) << "it was kept";
  ASSERT_TRUE(small.get(tiny("fsdp"), Memory::allocate));
  EXPECT_FALSE((*small.get(tiny("ddp"), Memory::allocate))->check(5)) << "it had to go";
}

TEST(WorkloadPool, VirtualRanksAreSpreadFromTheFirstToTheLast) {
  EXPECT_EQ(virtual_rank(0, 1, 100), 0);
  EXPECT_EQ(virtual_rank(0, 4, 100), 0);
  EXPECT_EQ(virtual_rank(3, 4, 100), 99);
  EXPECT_EQ(virtual_rank(1, 3, 101), 50);
  EXPECT_LT(virtual_rank(1, 4, 100), virtual_rank(2, 4, 100));
}

TEST(WorkloadPool, WhoReadsAndWritesIsOneOfTheFirstRanksOrThoseThatAreNamed) {
  Config config = tiny("fsdp");
  config.run.world = 100;
  WorkloadPool pool(1, 2, std::int64_t{1} << 40);
  EXPECT_EQ((*pool.get(config, Memory::none))->rank(), 99);
  EXPECT_EQ((*pool.get(config, Memory::none, Played::first))->rank(), 1);
  EXPECT_EQ((*pool.get(config, Memory::none))->rank(), 99) << "kept apart";
  config.run.play = "7,40";
  EXPECT_EQ((*pool.get(config, Memory::none))->rank(), 40);
  EXPECT_EQ((*pool.get(config, Memory::allocate, Played::first))->rank(), 40);
  config.run.play = "7";
  EXPECT_FALSE(pool.get(config, Memory::none)) << "there are two of us";
}

}  // namespace
}  // namespace shardmark::bench
