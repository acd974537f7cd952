// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/harness/report/time_spread.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/suite/families.hpp"

namespace shardmark::bench {
namespace {

TEST(Summary, TakesMediansAndComputesRatesLast) {
  EXPECT_EQ(spread_over({}), std::nullopt);
  const auto even = spread_over({4, 1, 3, 2});
  EXPECT_EQ(even->median, 2.5);
  EXPECT_EQ(even->min, 1);
  EXPECT_EQ(even->max, 4);

  std::vector<CaseDescription> cases(2);
  cases[0].family = find_family("load")->traits;
  cases[1].family = find_family("hooks")->traits;
  std::vector<Sample> samples;
  for (const double seconds : {4.0, 1.0, 2.0}) {
    Sample sample;
    sample.time_s = seconds;
    sample.num_bytes = 1000;
    sample.metrics["imbalance"] = seconds;
    sample.cold = classify(Residency{10, seconds == 1.0 ? 10 : 0});
    sample.phase_list = {Phase::open, Phase::read, Phase::wait};
    sample.phases.resize(2);
    sample.phases[1][Phase::read] = seconds / 2;
    sample.phases[0][Phase::open] = seconds / 4;
    sample.phases[0][Phase::wait] = seconds * 3 / 4;
    samples.push_back(sample);
  }
  samples.push_back({});
  samples.back().case_index = 1;
  samples.back().error = Error{ErrorCode::io_error, "gone", 2};

  const auto summaries = summarise(cases, samples);
  EXPECT_EQ(summaries[0].time_s->median, 2);
  EXPECT_EQ(summaries[0].rate_bytes_per_s, 500);
  EXPECT_EQ(summaries[0].imbalance, 2);
  EXPECT_EQ(summaries[0].cold, CacheState::warm);
  EXPECT_EQ(summaries[0].slowest_phase->phase, Phase::read);
  EXPECT_EQ(summaries[0].slowest_phase->rank, 1);
  EXPECT_EQ(summaries[0].slowest_phase->share, 0.5);
  EXPECT_EQ(summaries[1].failed, 1);
  EXPECT_FALSE(summaries[1].time_s);
}

}  // namespace
}  // namespace shardmark::bench
