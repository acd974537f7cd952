// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/samples_json.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace shardmark::bench {
namespace {

TEST(SamplesJson, HasTheKeysOfTheSchemaAndNoOthers) {
  RunContext context;
  context.topology.node_of_rank = {0};
  context.topology.host_of_node = {"a"};
  std::vector<CaseDescription> cases(1);
  std::vector<Sample> samples(1);
  samples[0].time_s = 1;
  const auto document = nlohmann::json::parse(samples_json(context, cases, samples));
  std::ifstream file(std::string(SHARDMARK_SOURCE_DIR) + "/results/schema.json");
  const auto definitions = nlohmann::json::parse(file).at("definitions");
  const auto expect_keys = [&](const nlohmann::json& found, const char* definition) {
    const auto& form = definitions.at(definition);
    for (const auto& [key, value] : found.items()) {
      EXPECT_TRUE(form.at("properties").contains(key)) << definition << "." << key;
    }
    for (const auto& key : form.at("required")) {
      EXPECT_TRUE(found.contains(key.get<std::string>())) << definition << "." << key;
    }
  };
  expect_keys(document.at("context"), "context");
  expect_keys(document.at("samples").at(0), "sample");
  EXPECT_EQ(document.at("samples").at(0).at("bytes_read"), nullptr) << "not measured";
}

}  // namespace
}  // namespace shardmark::bench
