// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/storage_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

constexpr const char* ten_lines = R"(ranks_per_node = 8
node_rate = "2GiB"
total_rate = "40GiB"
requests = 200000
latency = 0.0005
metadata = 5000
memory_rate = 1e10
spread = 0.15
samples = 20
error = {node_rate = 0.05}
)";

TEST(StorageModel, IsReadFromTenLines) {
  const auto model = parse_storage_model(ten_lines, "storage.toml");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->ranks_per_node, 8);
  EXPECT_EQ(model->node_rate, 2.0 * (1 << 30));
  EXPECT_EQ(model->total_rate, 40.0 * (1 << 30));
  EXPECT_EQ(model->load_node_rate, model->node_rate);
  EXPECT_EQ(model->load_total_rate, model->total_rate);
  EXPECT_EQ(model->memory_rate, 1e10);
  EXPECT_EQ(model->spread, 0.15);
  EXPECT_EQ(model->samples, 20);
  EXPECT_EQ(model->errors.at("node_rate"), 0.05);
}

TEST(StorageModel, LeavesOutWhatIsNotLimited) {
  const auto model = parse_storage_model("node_rate = 5\nload_node_rate = 7\n", "x");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->total_rate, StorageModel::unlimited);
  EXPECT_EQ(model->load_node_rate, 7);
  EXPECT_EQ(model->latency, 0);
  EXPECT_FALSE(model->spread);
}

TEST(StorageModel, NamesFileLineKeyAndWhatWasExpected) {
  for (const auto& [text, message] :
       {std::pair("", "x: node_rate is missing, expected the bytes a second that one node saves"),
        std::pair("node_rate = 0", "x:1: node_rate: found the integer 0, expected bytes a second"),
        std::pair("node_rate = \"2 apples\"", "x:1: node_rate: found the string"),
        std::pair("node_rate = 1\nlatency = -1",
                  "x:2: latency: found the integer -1, expected seconds"),
        std::pair("node_rate = 1\nmetadata = inf", "x:2: metadata: found"),
        std::pair("node_rate = 1\nnode_rat = 2", "unknown key 'node_rat', expected one of"),
        std::pair("node_rate = 1\nspread = -0.1", "spread: found the number -0.1"),
        std::pair("node_rate = 1\nranks_per_node = 0", "ranks_per_node: found the integer 0"),
        std::pair("node_rate = 1\n[error]\nspread = 0.1", "error.spread: found the number 0.1"),
        std::pair("node_rate = 1\nerror = 3", "error: found the integer 3, expected a section")}) {
    const auto none = parse_storage_model(text, "x");
    ASSERT_FALSE(none) << text;
    EXPECT_THAT(none.error().message, HasSubstr(message));
  }
  EXPECT_FALSE(read_storage_model("/nowhere/storage.toml"));
}

}  // namespace
}  // namespace shardmark::bench
