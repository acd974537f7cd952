// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/space_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace shardmark::bench {
namespace {

TEST(SpaceCheck, RefusesWhatCannotFitAndNamesTheKnobs) {
  WorkloadPool workloads(0, 1, 0);
  std::vector<SweepCase> points(1);
  Config& config = points.front().config;
  config.model.name = "llama3-405b";  // 5 TB with its optimizer
  config.parallel.strategy = "ddp";
  config.storage.directory = ".";
  config.run.benchmarks = {"load"};
  config.run.keep = 1000;
  const Status refused = check_space(points, 1, workloads);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::no_space);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("run.keep"));
  config.run.benchmarks = {"hooks", "plan"};
  EXPECT_TRUE(check_space(points, 1, workloads)) << "nothing is stored";
  config.run.benchmarks = {"save"};
  config.storage.backend = "null";
  EXPECT_TRUE(check_space(points, 1, workloads)) << "nothing is kept";
}

}  // namespace
}  // namespace shardmark::bench
