// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/families.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "bench/config/config_key_table.hpp"

namespace shardmark::bench {
namespace {

TEST(Families, TheTableTheBuildAndTheSchemaNameTheSame) {
  std::set<std::string> table;
  for (const Family& family : families()) {
    EXPECT_TRUE(table.insert(std::string(family.traits.name)).second) << family.traits.name;
    EXPECT_NE(family.make, nullptr);
  }
  const auto& choices = find_config_key("run.benchmarks")->choices;
  EXPECT_EQ(std::set<std::string>(choices.begin(), choices.end()), table);
  // The schema lists them once, whatever lies between.
  std::ifstream file(std::string(SHARDMARK_SOURCE_DIR) + "/results/schema.json");
  const auto schema = nlohmann::json::parse(file);
  const auto& listed = schema.at("definitions").at("family").at("enum");
  EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()), table);
}

TEST(Families, OnlyThoseThatStoreNeedADirectory) {
  Config config;
  config.run.benchmarks = {"hooks", "plan"};
  const auto keeps = [&](const FamilyTraits& family) { return keeps_files(family, config); };
  EXPECT_FALSE(runs_any(config.run, keeps));
  config.run.benchmarks = {"hooks", "save"};
  EXPECT_TRUE(runs_any(config.run, keeps));
  config.storage.backend = "null";
  EXPECT_FALSE(runs_any(config.run, keeps)) << "a back end that discards";
  config.run.benchmarks = {"ceiling"};
  EXPECT_TRUE(runs_any(config.run, keeps)) << "ceilings have files of their own";
  EXPECT_EQ(find_family("saves"), nullptr);
}

TEST(FamilyTraits, KeysConcernAFamilyBySectionOrByName) {
  const auto concerns = [](const char* family, const char* key) {
    return find_family(family)->traits.concerns(key);
  };
  EXPECT_TRUE(concerns("hooks", "model.scale"));
  EXPECT_FALSE(concerns("hooks", "planner.kind"));
  EXPECT_TRUE(concerns("plan", "planner.kind"));
  EXPECT_FALSE(concerns("plan", "storage.io"));
  EXPECT_TRUE(concerns("save", "storage.io"));
  EXPECT_FALSE(concerns("save", "load.checksum"));
  EXPECT_TRUE(concerns("load", "load.checksum"));
  EXPECT_TRUE(concerns("ceiling", "storage.directory"));
  EXPECT_FALSE(concerns("ceiling", "storage.io"));
}

}  // namespace
}  // namespace shardmark::bench
