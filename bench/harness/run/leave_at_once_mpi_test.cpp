// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/leave_at_once.hpp"

#include <gtest/gtest.h>

#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

TEST(LeaveAtOnce, WhatOneRankMustAllDo) {
  EXPECT_FALSE(any_must_leave(false, world()));
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_TRUE(any_must_leave(world().rank() == rank, world()));
  }
}

}  // namespace
}  // namespace shardmark::bench
