// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST_F(ConfigTest, SweepIsTheProductOfItsLists) {
  const std::string text = std::string(minimal) +
                           "[sweep]\n\"parallel.strategy\" = [\"ddp\", \"fsdp\"]\n"
                           "storage.io = [\"collective\", \"auto\"]\n"
                           "\"model.scale\" = [0.5]\n\"run.benchmarks\" = [[\"save\"]]\n";
  const auto found = cases(text);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 4U);
  std::vector<std::string> seen;
  for (const SweepCase& point : *found) {
    seen.push_back(point.config.parallel.strategy + "/" + point.config.storage.io);
    EXPECT_EQ(point.config.model.scale, 0.5);
    EXPECT_THAT(point.config.run.benchmarks, ElementsAre("save"));
    EXPECT_EQ(point.config.model.name, "m");
  }
  EXPECT_THAT(seen, ElementsAre("ddp/collective", "ddp/direct", "fsdp/collective", "fsdp/direct"));
  EXPECT_THAT(
      found->at(2).varied,
      ElementsAre(Pair("model.scale", "0.5"), Pair("parallel.strategy", "\"fsdp\""),
                  Pair("run.benchmarks", "[\"save\"]"), Pair("storage.io", "\"collective\"")));

  // The base ignores the sweep, and a key that is set leaves it.
  EXPECT_EQ(base(text)->parallel.strategy, "ddp");
  const auto set = cases(text, {"parallel.strategy=zero1"});
  ASSERT_TRUE(set);
  ASSERT_EQ(set->size(), 2U);
  EXPECT_EQ(set->at(0).config.parallel.strategy, "zero1");
  EXPECT_EQ(set->at(0).varied.size(), 3U);

  const auto again = cases(config_text(*found));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(again->at(i).config, found->at(i).config);
  }
  ASSERT_EQ(cases(minimal)->size(), 1U);
  EXPECT_TRUE(cases(minimal)->front().varied.empty());
}

TEST_F(ConfigTest, SweepsAreCheckedOnlyWhereTheyAct) {
  const std::string planned = "[sweep]\n\"storage.layout\" = [\"shared\", \"per-rnk\"]\n";
  EXPECT_TRUE(base(minimal + planned));
  EXPECT_THAT(message(cases(minimal + planned), ErrorCode::invalid_argument),
              HasSubstr("t.toml:6: storage.layout: found"));
  EXPECT_TRUE(cases(minimal + planned, {"storage.layout=shared"}));
  // A base value that every case replaces may be missing.
  EXPECT_TRUE(cases("[model]\nname = \"m\"\n[sweep]\n\"parallel.strategy\" = [\"ddp\"]\n"));

  const auto refused = [&](const std::string& line) {
    return message(cases(minimal + ("[sweep]\n" + line)), ErrorCode::invalid_argument);
  };
  EXPECT_THAT(refused("\"run.keep\" = []\n"), HasSubstr("a list of at least one value"));
  EXPECT_THAT(refused("\"run.keep\" = 3\n"), HasSubstr("sweep of run.keep: found the integer 3"));
  EXPECT_THAT(refused("\"run.keep\" = [1, 2, 1]\n"), HasSubstr("1 is listed twice"));
  EXPECT_THAT(refused("\"run.kep\" = [1]\n"), HasSubstr("did you mean 'run.keep'?"));
  EXPECT_THAT(refused("run.kep = [1]\n"), HasSubstr("did you mean 'run.keep'?"));
  EXPECT_THAT(refused("keep = 3\n"), HasSubstr("sweep.keep: found the integer 3, expected lists"));
  EXPECT_THAT(refused("\"run.keep\" = [1, \"x\"]\n"),
              HasSubstr("run.keep: found the string \"x\""));
  std::string many = "[0";
  for (int i = 1; i <= 100; ++i) {
    many += ", " + std::to_string(i);
  }
  EXPECT_THAT(refused("\"run.keep\" = " + many + "]\n\"run.warmup\" = " + many + "]\n"),
              HasSubstr("more than 10000 cases"));
}

TEST_F(ConfigTest, EveryShippedSuiteResolves) {
  int suites = 0;
  for (const auto& entry : fs::directory_iterator(SHARDMARK_SOURCE_DIR "/configs/suites")) {
    const auto document = read_config(entry.path().string(), {});
    ASSERT_TRUE(document) << document.error().message;
    const auto base_values = resolve(*document);
    EXPECT_TRUE(base_values) << base_values.error().message;
    const auto all = resolve_sweep(*document);
    EXPECT_TRUE(all) << all.error().message;
    ++suites;
  }
  EXPECT_GE(suites, 2);
}

TEST_F(ConfigTest, AJobReplacesModelAndStrategy) {
  const auto config = base(
      "model.name = \"m\"\nmodel.job = \"/j/my run.json\"\n"
      "parallel.strategy = \"fsdp-tp\"\nparallel.tp = 2\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->model.name, "my run");
  EXPECT_EQ(config->parallel.strategy, "job");
  EXPECT_FALSE(config->parallel.tp);
  const auto again = base(config_text(*config));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *config);
}

TEST_F(ConfigTest, AJobTakesNoSizeOfTheModelThatItReplaces) {
  const std::string of_a_model =
      "[model]\nname = \"m\"\nscale = 0.5\ndtype = \"float32\"\n"
      "[parallel]\nstrategy = \"ddp\"\n";
  const auto dropped = base(of_a_model, {"model.job=/j/a.json"});
  ASSERT_TRUE(dropped) << dropped.error().message;
  EXPECT_FALSE(dropped->model.scale);
  EXPECT_FALSE(dropped->model.dtype);
  const auto asked = base(of_a_model, {"model.job=/j/a.json", "model.scale=0.25"});
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->model.scale, 0.25);
  const auto beside = base("model.job = \"/j/a.json\"\nmodel.scale = 0.5\n");
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(beside->model.scale, 0.5);
  write("models/m.toml", of_a_model);
  const auto included = base("include = [\"models/m\"]\n[model]\njob = \"/j/a.json\"\n");
  ASSERT_TRUE(included) << included.error().message;
  EXPECT_FALSE(included->model.scale);
}

}  // namespace
}  // namespace shardmark::bench
