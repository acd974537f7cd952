// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/node_work.hpp"
#include "bench/harness/report/result_table.hpp"
#include "bench/harness/report/same_layout.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/harness/report/text_file.hpp"
#include "bench/harness/report/time_spread.hpp"
#include "bench/harness/run/benchmark_flags.hpp"
#include "bench/harness/run/case_filter.hpp"
#include "bench/harness/run/case_order.hpp"
#include "bench/harness/run/progress_line.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/machine/free_memory.hpp"
#include "bench/machine/memory_usage.hpp"
#include "bench/machine/run_context.hpp"
#include "bench/suite/families.hpp"
#include "shardmark/testing/temporary_directory.hpp"

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

TEST(CaseFilter, FollowsGoogleBenchmarksRule) {
  const std::vector<std::string> names = {"save/m/ddp/ranks:4", "save/m/fsdp/ranks:4",
                                          "load/m/fsdp/ranks:4"};
  const auto selected = [&](std::string_view filter) {
    const auto result = select_cases(filter, names);
    return result ? *result : std::vector<std::size_t>{99};
  };
  EXPECT_THAT(selected(""), ElementsAre(0, 1, 2));
  EXPECT_THAT(selected("fsdp"), ElementsAre(1, 2));
  EXPECT_THAT(selected("^save.*fsdp"), ElementsAre(1));
  EXPECT_THAT(selected("-fsdp"), ElementsAre(0));
  EXPECT_THAT(selected("ddp/ranks:4$"), ElementsAre(0));
  EXPECT_THAT(selected("load/.*/iterations:1/manual_time$"), ElementsAre(2));
}

TEST(CaseFilter, ThatSelectsNothingNamesWhatThereIs) {
  const std::vector<std::string> names = {"save/a", "load/b"};
  const auto none = select_cases("reshard", names);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(none.error().message, HasSubstr("save/a, load/b"));
  const auto bad = select_cases("(", names);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::invalid_argument);
}

TEST(CaseOrder, EveryRoundHasEveryCaseOnceInAnOrderOfItsOwn) {
  const auto rounds = shuffled_rounds(50, 4, 7);
  ASSERT_EQ(rounds.size(), 4U);
  for (const auto& round : rounds) {
    EXPECT_EQ(round.size(), 50U);
    EXPECT_EQ(std::set<std::size_t>(round.begin(), round.end()).size(), 50U);
  }
  EXPECT_NE(rounds[0], rounds[1]);
  EXPECT_EQ(rounds, shuffled_rounds(50, 4, 7));
  EXPECT_NE(rounds, shuffled_rounds(50, 4, 8));
  EXPECT_TRUE(shuffled_rounds(0, 1, 1).front().empty());
}

TEST(MemoryUsage, ReadsTheKernelsLines) {
  const std::string text = "Name:\tVmRSS\nVmHWM:\t  5120 kB\nVmRSS:\t 12 kB\n";
  EXPECT_EQ(parse_status_bytes(text, "VmHWM"), 5120 * 1024);
  EXPECT_EQ(parse_status_bytes(text, "VmRSS"), 12 * 1024);
  EXPECT_EQ(parse_status_bytes(text, "VmSwap"), std::nullopt);
  EXPECT_EQ(parse_status_bytes("VmHWM:\n12 kB", "VmHWM"), std::nullopt);
}

/// The kernel's folder of virtio devices, with one of this kind and these features.
class VirtioDevices {
 public:
  VirtioDevices(const std::string& kind, const std::string& features) {
    const std::string device = directory_.path() + "/virtio0";
    std::filesystem::create_directory(device);
    std::ofstream(device + "/device") << kind << "\n";
    std::ofstream(device + "/features") << features << "\n";
  }
  const std::string& path() const { return directory_.path(); }

 private:
  testing::TemporaryDirectory directory_;
};

TEST(FreeMemory, GoesBackWhereABalloonReportsFreePages) {
  EXPECT_TRUE(gives_free_memory_back(VirtioDevices("0x0005", "0110010100").path()));
  EXPECT_FALSE(gives_free_memory_back(VirtioDevices("0x0005", "0110000100").path()));
  EXPECT_FALSE(gives_free_memory_back(VirtioDevices("0x0005", "01100").path()));
  EXPECT_FALSE(gives_free_memory_back(VirtioDevices("0x0002", "0110010100").path()));
  EXPECT_FALSE(gives_free_memory_back("/no/such/folder"));
}

TEST(MemoryUsage, SeesMemoryThatWasFreedAgain) {
  constexpr std::size_t size = std::size_t{64} << 20;
  const PeakMemoryWatch watch;
  {
    const std::vector<char> touched(size, 'x');
    ASSERT_EQ(touched[size / 2], 'x');
  }
  const auto peak = watch.peak_bytes();
  if (!peak) {
    GTEST_SKIP() << "this kernel does not reset VmHWM";
  }
  EXPECT_GE(*peak, static_cast<std::int64_t>(size * 9 / 10));
}

TEST(CacheState, IsNamedByTheFraction) {
  const auto state = [](std::int64_t resident) {
    return classify(Residency{1000, resident}).state;
  };
  EXPECT_EQ(state(0), CacheState::client_cold);
  EXPECT_EQ(state(9), CacheState::client_cold);
  EXPECT_EQ(state(10), CacheState::partly_cold);
  EXPECT_EQ(state(990), CacheState::partly_cold);
  EXPECT_EQ(state(991), CacheState::warm);
  EXPECT_EQ(classify(Residency{0, 0}).state, CacheState::unknown);
  EXPECT_EQ(classify(std::nullopt).state, CacheState::unknown);
  EXPECT_FALSE(classify(std::nullopt).resident_fraction);
}

TEST(Spread, NamesTheLowestOfTheSlowest) {
  const std::vector<double> seconds = {1, 4, 3, 4};
  const RankSpread spread = spread_of(seconds);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.mean, 3);
  EXPECT_EQ(spread.max, 4);
  EXPECT_EQ(spread.slowest_rank, 1);
  EXPECT_DOUBLE_EQ(imbalance_of(seconds), 4.0 / 3.0);
  EXPECT_EQ(imbalance_of(std::vector<double>{0, 0}), 1);
}

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

TEST(ResultTable, FitsAndNamesFailuresAndFiles) {
  RunContext context;
  context.topology.node_of_rank.assign(128, 0);
  context.topology.host_of_node = {"n0"};
  context.filesystem = {"ext4", "/"};
  std::vector<CaseDescription> cases;
  std::vector<Sample> samples;
  for (const std::string family : {"hooks", "plan", "save", "load"}) {
    CaseDescription each;
    each.name = family + "/llama3-8b/megatron/x/nodes:1/ranks:128";
    each.family = find_family(family)->traits;
    each.model = "llama3-8b";
    each.strategy = "megatron";
    each.variant = family == "hooks" ? "create_write_items" : "shared-independent";
    each.keys = {{"file_layout", "shared"},
                 {"io", family == "save" ? "collective" : "independent"}};
    Sample sample;
    sample.case_index = cases.size();
    if (family == "plan") {
      sample.error = Error{ErrorCode::io_error, "disk on fire", 3};
    } else {
      sample.time_s = 123.456;
      sample.returned_s = 123.4;
      sample.num_bytes = std::int64_t{1} << 40;
      sample.metrics["imbalance"] = 12.34;
      sample.phase_list = {Phase::global_plan};
      sample.phases.resize(128);
      sample.phases[127][Phase::global_plan] = 123;
      if (family == "load") {
        sample.cold = classify(Residency{100, 0});
      }
    }
    cases.push_back(each);
    samples.push_back(sample);
  }
  const auto summaries = summarise(cases, samples);
  const std::string text = result_table(context, summaries, "out/dir", TextStyle{});
  std::size_t start = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    const std::string line = text.substr(start, end - start);
    if (!line.starts_with("failed: ")) {
      EXPECT_LE(line.size(), static_cast<std::size_t>(max_table_width)) << line;
    }
    start = end + 1;
  }
  EXPECT_THAT(text, HasSubstr("llama3-8b, 128 ranks on 1 node, shared, ext4 at /"));
  EXPECT_THAT(text, HasSubstr("independent cold"));
  EXPECT_THAT(text, HasSubstr("global_plan 100% r127"));
  EXPECT_THAT(text, HasSubstr("failed, 1 of 1"));
  EXPECT_THAT(text, HasSubstr("rank 3: disk on fire"));
  EXPECT_THAT(text, HasSubstr("out/dir/samples.json"));
  EXPECT_THAT(text, HasSubstr("8.29"));  // 1024 GiB in 123.456 s
}

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

TEST(Units, OfTimes) {
  EXPECT_EQ(spread_text({1.3, 1.2, 16}, {}), "1.30 s [1.20..16.0]");
  EXPECT_EQ(spread_text({0.0123, 0.01, 1}, {1e-3, "ms"}), "12.3 ms [10.0..1000]");
  EXPECT_EQ(spread_text({4.5e-6, 4e-6, 5e-6}, {1e-3, "ms"}), "0.00450 ms [0.00400..0.00500]");
  EXPECT_EQ(clock_text(32.4), "0:32");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(-1), "0:00");
}

TEST(TextFile, IsReplacedWholeOrNotAtAll) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/a.json";
  ASSERT_TRUE(replace_text_file(path, "one"));
  ASSERT_TRUE(replace_text_file(path, "two"));
  EXPECT_EQ(std::filesystem::file_size(path), 3U);
  const auto failed = replace_text_file(directory.path() + "/missing/a.json", "three");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("missing/a.json"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);

  EXPECT_TRUE(make_directory(directory.path() + "/new", "--out"));
  EXPECT_TRUE(make_directory(directory.path() + "/new", "--out"));
  EXPECT_EQ(make_directory(directory.path() + "/no/new", "--out").error().code,
            ErrorCode::not_found);
  EXPECT_EQ(make_directory(path, "--out").error().code, ErrorCode::invalid_argument);
}

TEST(RunContext, KnowsItsSurroundings) {
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_EQ(file_system_of("/proc/self").type, "proc");
  EXPECT_EQ(file_system_of("/proc/no/such/place").path, "/proc");
  EXPECT_THAT(utc_now(), ::testing::MatchesRegex("....-..-..T..:..:..Z"));
}

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
