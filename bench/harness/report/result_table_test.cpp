// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/result_table.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/machine/run_context.hpp"
#include "bench/suite/families.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

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

}  // namespace
}  // namespace shardmark::bench
