// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/machine/run_context.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

TEST(RunContext, KnowsItsSurroundings) {
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_EQ(file_system_of("/proc/self").type, "proc");
  EXPECT_EQ(file_system_of("/proc/no/such/place").path, "/proc");
  EXPECT_THAT(utc_now(), ::testing::MatchesRegex("....-..-..T..:..:..Z"));
}

}  // namespace
}  // namespace shardmark::bench
