// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/node_work.hpp"
#include "bench/harness/report/result_table.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/machine/run_context.hpp"
#include "bench/suite/families.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

TEST(NodeWork, NamesTheNodeThatWorksLongerAndNotTheOneThatWaits) {
  RunContext context;
  context.topology.node_of_rank = {0, 0, 1, 1, 2, 2};
  context.topology.host_of_node = {"n0", "n1", "n2"};
  CaseDescription description;
  description.family = find_family("save")->traits;
  description.strategy = "fsdp";
  std::vector<Sample> samples;
  for (int repetition = 0; repetition < 3; ++repetition) {
    Sample sample;
    sample.time_s = 4;
    sample.phase_list = {Phase::write, Phase::global_plan, Phase::wait};
    sample.phases.resize(6);
    for (std::size_t rank = 0; rank < 6; ++rank) {
      sample.phases[rank][Phase::write] = rank == 3 ? 3 : 1;  // node 1: mean 2
      sample.phases[rank][Phase::global_plan] = rank == 0 ? 1 : 0;
      sample.phases[rank][Phase::wait] = rank == 3 ? 0 : 2;
    }
    samples.push_back(sample);
  }
  EXPECT_EQ(shared_work(samples.front()), (std::vector<double>{1, 1, 1, 3, 1, 1}));
  const auto by_node = mean_by_node(shared_work(samples.front()), context.topology);
  EXPECT_EQ(by_node, (std::vector<double>{1, 2, 1}));
  EXPECT_EQ(slowest_node(by_node)->node, 1);
  EXPECT_EQ(slowest_node(by_node)->excess, 1);
  EXPECT_FALSE(slowest_node(std::vector<double>{1}));
  EXPECT_FALSE(slowest_node(std::vector<double>{0, 0}));

  const std::vector<CaseDescription> cases = {description};
  const std::string slow = result_table(context, summarise(cases, samples), "", TextStyle{});
  EXPECT_THAT(slow, HasSubstr("slow node: n1 works longer than the middle node: save fsdp +100 %"));
  for (Sample& sample : samples) {
    sample.phases[3][Phase::write] = 1;
  }
  EXPECT_THAT(result_table(context, summarise(cases, samples), "", TextStyle{}),
              HasSubstr("nodes: none stands out"));
}

}  // namespace
}  // namespace shardmark::bench
