// SPDX-License-Identifier: Apache-2.0
// Against sums done by hand.
#include "bench/cli/commands/predicted_cost.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bench/cli/commands/predicted_cost_report.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t mib = 1 << 20;

/// Eight ranks on two nodes of four, 64 MiB each, the last one 128.
class PredictedCostTest : public testing::Test {
 protected:
  PredictedCostTest() {
    model_.ranks_per_node = 4;
    model_.node_rate = 100 * mib;
    model_.load_node_rate = 200 * mib;
    written_.back() = 128 * mib;
    work_.written = written_;
    work_.held = written_;
    work_.files = 9;
    work_.plan_s = 0.25;
  }

  std::vector<std::int64_t> written_ = std::vector<std::int64_t>(8, 64 * mib);
  PlannedWork work_;
  StorageModel model_;
};

TEST_F(PredictedCostTest, TakesTheBusiestNode) {
  const PredictedCost cost = predict_cost(work_, model_);
  EXPECT_EQ(cost.nodes, 2);
  EXPECT_DOUBLE_EQ(cost.save_s.value, 0.25 + 320.0 / 100);
  EXPECT_DOUBLE_EQ(cost.load_s.value, 320.0 / 200);
  EXPECT_DOUBLE_EQ(cost.stall_s.value, cost.save_s.value);
  EXPECT_EQ(cost.requests, 7 * 4 + 8);
  EXPECT_EQ(cost.metadata_calls, 2 * 9 + 2 * 8 + 6);
  EXPECT_THAT(cost.save_s.law, HasSubstr("bytes of the busiest node"));
  EXPECT_FALSE(cost.save_s.low);
}

TEST_F(PredictedCostTest, WhatIsDiscardedCostsItsPlanAlone) {
  work_.files = 0;
  const PredictedCost cost = predict_cost(work_, model_);
  EXPECT_EQ(cost.metadata_calls, 0);
  EXPECT_EQ(cost.requests, 0);
  EXPECT_DOUBLE_EQ(cost.save_s.value, 0.25);
}

TEST_F(PredictedCostTest, TakesWhatIsSlowestAndAddsTheRest) {
  model_.total_rate = 50 * mib;
  EXPECT_DOUBLE_EQ(predict_cost(work_, model_).save_s.value, 0.25 + 576.0 / 50);
  model_.requests = 2;
  EXPECT_DOUBLE_EQ(predict_cost(work_, model_).save_s.value, 0.25 + 36.0 / 2);
  model_.latency = 10;
  model_.metadata = 20;
  model_.fixed = 1;
  const PredictedCost cost = predict_cost(work_, model_);
  EXPECT_DOUBLE_EQ(cost.save_s.value, 1 + 0.25 + 40.0 / 20 + 8 * 10);
  EXPECT_DOUBLE_EQ(cost.load_s.value, 1 + 12.0 / 20 + 8 * 10);
  EXPECT_THAT(cost.save_s.law, HasSubstr("requests of the busiest rank x latency"));
}

TEST_F(PredictedCostTest, ReplicasAreReadOnceANode) {
  std::vector<std::int64_t> held(8, 576 * mib);  // each rank wants all of it
  work_.held = held;
  EXPECT_DOUBLE_EQ(predict_cost(work_, model_).load_s.value, 576.0 / 200);
  model_.load_total_rate = 100 * mib;
  EXPECT_DOUBLE_EQ(predict_cost(work_, model_).load_s.value, 2 * 576.0 / 100);
}

TEST_F(PredictedCostTest, AStallInTheBackgroundIsACopy) {
  work_.async = true;
  work_.staging_per_rank = (32 + 64 + 80) * mib;
  model_.memory_rate = 640 * mib;
  const PredictedCost cost = predict_cost(work_, model_);
  EXPECT_DOUBLE_EQ(cost.stall_s.value, 0.25 + 0.5);
  EXPECT_DOUBLE_EQ(cost.memory_per_node_bytes.value, (320 + 4 * 32 + 4 * 64 + 320) * double(mib));
}

TEST_F(PredictedCostTest, IntervalsCarrySpreadAndErrorsThroughTheLaw) {
  work_.plan_s = 0;
  model_.spread = 0.1;
  const PredictedCost only_spread = predict_cost(work_, model_);
  EXPECT_NEAR(*only_spread.save_s.high, 3.2 * std::exp(1.959964 * 0.1), 1e-9);
  EXPECT_NEAR(*only_spread.save_s.low, 3.2 / std::exp(1.959964 * 0.1), 1e-9);
  model_.errors["node_rate"] = 0.2;  // the time goes with 1 / node_rate
  model_.errors["metadata"] = 5;     // which is not limited
  const PredictedCost both = predict_cost(work_, model_);
  EXPECT_NEAR(*both.save_s.high, 3.2 * std::exp(1.959964 * std::hypot(0.1, 0.2)), 1e-9);
  EXPECT_NEAR(*both.load_s.high, 1.6 * std::exp(1.959964 * 0.1), 1e-9);
  model_.samples = 12;  // Student's with 10 degrees of freedom: 2.2281
  EXPECT_NEAR(*predict_cost(work_, model_).load_s.high, 1.6 * std::exp(2.2281 * 0.1), 2e-4);
}

TEST_F(PredictedCostTest, IsToldToPeople) {
  const std::string text = cost_text(predict_cost(work_, model_));
  EXPECT_THAT(text, HasSubstr("on 2 nodes"));
  EXPECT_THAT(text, HasSubstr("3.45 s, no interval: no spread is given"));
  model_.spread = 0.1;
  EXPECT_THAT(cost_text(predict_cost(work_, model_)), HasSubstr("3.45 s [2.84..4.20]"));
}

}  // namespace
}  // namespace shardmark::bench
