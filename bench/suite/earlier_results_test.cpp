// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/earlier_results.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RunContext context_of(const std::string& config, std::size_t ranks) {
  RunContext context;
  context.config = config;
  context.topology.node_of_rank.assign(ranks, 0);
  return context;
}

TEST(EarlierResults, OnlyTheSameConfigurationIsReplaced) {
  const shardmark::testing::TemporaryDirectory directory;
  const auto now = context_of("[model]\nscale = 0.5\n\n[storage]\ndirectory = \"b\"\n", 4);
  EXPECT_TRUE(check_earlier_results(directory.path(), now)) << "nothing is there";
  const auto check = [&](const std::string& document) {
    std::ofstream(directory.path() + "/samples.json") << document;
    return check_earlier_results(directory.path(), now);
  };
  const std::string same =
      R"({"schema_version": 1, "context": {"nodes": 1, "ranks": 4, "config":
          "[model]\nscale = 0.5\n\n[storage]\ndirectory = \"a\"\n", "x": [1, {"config": "no"}]},
          "samples": [)";
  EXPECT_TRUE(check(same + "]}")) << "paths may differ";
  EXPECT_TRUE(check(same)) << "the samples themselves are not read";
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = same;
    return check(text.replace(text.find(from), from.size(), to)).error().message;
  };
  EXPECT_THAT(replaced("0.5", "0.25"), AllOf(HasSubstr("samples.json"), HasSubstr("scale = 0.25"),
                                             HasSubstr("scale = 0.5"), HasSubstr("--overwrite")));
  EXPECT_THAT(replaced("\"ranks\": 4", "\"ranks\": 2"), HasSubstr("results of 2 ranks"));
  EXPECT_THAT(replaced("\\n\\n[storage]\\ndirectory = \\\"a\\\"", ""), HasSubstr("nothing more"));
  for (const char* broken : {"", "{", "[]", "null", R"({"context": 3})", "\xff\xfe"}) {
    const Status refused = check(broken);
    ASSERT_FALSE(refused) << broken;
    EXPECT_EQ(exit_code(refused.error().code), 2);
    EXPECT_THAT(refused.error().message, HasSubstr("does not say what it was measured with"));
  }
}

}  // namespace
}  // namespace shardmark::bench
