// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/harness/run/benchmark_flags.hpp"

namespace shardmark::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<BenchmarkFlags> flags_of(const std::vector<std::string>& words) {
  return parse_benchmark_flags(words);
}

TEST(BenchmarkFlags, AllowedOnesAreKeptForRankZero) {
  const auto flags =
      flags_of({"--benchmark_filter=save/.*", "--benchmark_out=x.json",
                "--benchmark_out_format=json", "--benchmark_format=json", "--benchmark_list_tests",
                "--benchmark_v=1", "--benchmark_context=a=b"});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->filter, "save/.*");
  EXPECT_EQ(flags->format, "json");
  EXPECT_TRUE(flags->list_tests);
  EXPECT_THAT(flags->for_root,
              ElementsAre("--benchmark_out=x.json", "--benchmark_out_format=json",
                          "--benchmark_format=json", "--v=1", "--benchmark_context=a=b"));
}

TEST(BenchmarkFlags, WhatWouldMakeRanksDivergeIsRefusedWithTheReason) {
  const std::vector<std::string> refused = {"--benchmark_min_time=1",
                                            "--benchmark_min_warmup_time=1",
                                            "--benchmark_repetitions=3",
                                            "--benchmark_enable_random_interleaving",
                                            "--benchmark_enable_random_interleaving=false",
                                            "--benchmark_report_aggregates_only=true",
                                            "--benchmark_display_aggregates_only=true",
                                            "--benchmark_perf_counters=CYCLES",
                                            "--benchmark_format=csv",
                                            "--benchmark_out_format=csv",
                                            "--benchmark_no_such_flag=1",
                                            "--benchmark_filters=x",
                                            "--benchmark_",
                                            "--filter=x"};
  for (const std::string& word : refused) {
    const auto flags = flags_of({"--benchmark_filter=x", word});
    ASSERT_FALSE(flags) << word;
    EXPECT_EQ(flags.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(flags.error().message, HasSubstr(word.substr(0, word.find('='))));
  }
  EXPECT_THAT(flags_of({"--benchmark_repetitions=3"}).error().message,
              HasSubstr("run.repetitions"));
}

TEST(BenchmarkFlags, BadValuesAreNamed) {
  for (const std::string word : {"--benchmark_format=xml", "--benchmark_out_format=",
                                 "--benchmark_time_unit=h", "--benchmark_list_tests=maybe"}) {
    const auto flags = flags_of({word});
    ASSERT_FALSE(flags) << word;
    EXPECT_THAT(flags.error().message, HasSubstr(word.substr(word.find('=') + 1)));
  }
}

TEST(BenchmarkFlags, TheEnvironmentCannotSetThemEither) {
  ASSERT_EQ(setenv("BENCHMARK_REPETITIONS", "3", 1), 0);
  const auto refused = flags_of({});
  unsetenv("BENCHMARK_REPETITIONS");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("environment variable BENCHMARK_REPETITIONS"));

  ASSERT_EQ(setenv("BENCHMARK_FILTER", "load", 1), 0);
  const auto taken = flags_of({});
  const auto overridden = flags_of({"--benchmark_filter=save"});
  unsetenv("BENCHMARK_FILTER");
  ASSERT_TRUE(taken && overridden);
  EXPECT_EQ(taken->filter, "load");
  EXPECT_EQ(overridden->filter, "save");
}

}  // namespace
}  // namespace shardmark::bench
