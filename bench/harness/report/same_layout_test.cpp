// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/same_layout.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/suite/families.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

TEST(SameLayout, ComparesRoundByRoundWithTheLoadOfTheSameBytes) {
  const auto of = [](const std::string& saved, const std::string& loaded,
                     const std::string& ranks) {
    CaseDescription description;
    description.family = find_family("reshard")->traits;
    description.strategy = loaded;
    description.keys = {{"saved_strategy", saved}, {"saved_ranks", ranks}, {"load_ranks", "4"}};
    return description;
  };
  const std::vector<CaseDescription> cases = {of("fsdp", "fsdp", "4"), of("ddp", "fsdp", "4"),
                                              of("fsdp", "fsdp", "6"), of("fsdp", "ddp", "4")};
  std::vector<Sample> samples;
  const auto add = [&](std::size_t index, int round, double seconds) {
    Sample& sample = samples.emplace_back();
    sample.case_index = index;
    sample.repetition = round;
    sample.time_s = seconds;
    sample.metrics["amplification"] = index == 1 ? 1.25 : 1.0;
  };
  for (int round = 0; round < 3; ++round) {
    add(0, round, 1 << round);  // 1, 2, 4
    add(1, round, 4);           // 4, 2, 1 of the same round
    add(2, round, 3 << round);
    add(3, round, 9);
  }
  const auto summaries = summarise(cases, samples);
  EXPECT_FALSE(summaries[0].same_layout_ratio);
  ASSERT_TRUE(summaries[1].same_layout_ratio);
  EXPECT_DOUBLE_EQ(summaries[1].same_layout_ratio->median, 2);
  EXPECT_DOUBLE_EQ(summaries[1].same_layout_ratio->max, 4);
  EXPECT_DOUBLE_EQ(summaries[2].same_layout_ratio->median, 3);
  EXPECT_FALSE(summaries[3].same_layout_ratio);  // nothing was saved as ddp
  const std::string text = same_layout_text(summaries);
  EXPECT_THAT(text, HasSubstr("worst pair fsdp to fsdp: 3.00"));
  EXPECT_THAT(text, HasSubstr("1.250 bytes asked of storage per byte needed (ddp to fsdp)"));
}

}  // namespace
}  // namespace shardmark::bench
