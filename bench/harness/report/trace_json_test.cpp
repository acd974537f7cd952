// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/trace_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace shardmark::bench {
namespace {

TEST(TraceJson, PutsRanksOfEveryNodeOnRankZerosClock) {
  RunContext context;
  context.topology.node_of_rank = {0, 1};
  context.topology.host_of_node = {"a", "b"};
  context.clock_offsets.resize(2);
  context.clock_offsets[1].offset_ns = -5'000;  // node b's clock is ahead
  std::vector<CaseDescription> cases(1);
  cases[0].name = "save/x";
  cases[0].family.name = "save";
  std::vector<Sample> samples(1);
  samples[0].events = {{{Phase::write, 1'000'000, 1'003'000}},
                       {{Phase::flush, 1'006'000, 1'007'000}}};
  const auto document = nlohmann::json::parse(trace_json(context, cases, samples));
  std::vector<nlohmann::json> phases;
  for (const auto& event : document["traceEvents"]) {
    if (event["ph"] == "X") {
      phases.push_back(event);
    }
  }
  ASSERT_EQ(phases.size(), 2U);
  EXPECT_EQ(phases[0]["name"], "write");
  EXPECT_EQ(phases[0]["cat"], "save");
  EXPECT_EQ(phases[0]["ts"], 0);
  EXPECT_EQ(phases[0]["dur"], 3);
  EXPECT_EQ(phases[1]["name"], "flush");
  EXPECT_EQ(phases[1]["pid"], 1);
  EXPECT_EQ(phases[1]["ts"], 1) << "6 us by its own clock, which is 5 us ahead";
}

}  // namespace
}  // namespace shardmark::bench
