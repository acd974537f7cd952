// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST_F(ConfigTest, IncludesAreComposedAndLaterKeysWin) {
  write("models/x.toml", "[model]\nname = \"x\"\nscale = 0.5\n[run]\nkeep = 1\nwarmup = 5\n");
  write("storage/y.toml", "[run]\nkeep = 2\nrepetitions = 4\n[storage]\nhints = {a = \"1\"}\n");
  const auto config = base(
      "include = [\"models/x\", \"storage/y.toml\"]\n"
      "[parallel]\nstrategy = \"ddp\"\n[run]\nrepetitions = 6\n[storage]\nhints = {b = \"2\"}\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->model.name, "x");
  EXPECT_EQ(config->run.keep, 2);
  EXPECT_EQ(config->run.warmup, 5);
  EXPECT_EQ(config->run.repetitions, 6);
  EXPECT_THAT(config->storage.hints, ElementsAre(Pair("b", "2")));
}

TEST_F(ConfigTest, IncludesFailWithTheirPlace) {
  write("models/a.toml", "include = [\"models/b\"]\n");
  write("models/b.toml", "include = [\"models/a\"]\n");
  EXPECT_THAT(
      message(base("include = [\"models/a\"]\n"), ErrorCode::invalid_argument),
      AllOf(HasSubstr("include cycle: "), HasSubstr("a.toml -> "), HasSubstr("b.toml -> ")));
  write("models/self.toml", "include = [\"models/self\"]\n");
  EXPECT_THAT(message(base("include = [\"models/self\"]\n"), ErrorCode::invalid_argument),
              HasSubstr("include cycle"));

  EXPECT_THAT(message(base("\ninclude = [\"models/aa\"]\n"), ErrorCode::not_found),
              AllOf(HasSubstr("t.toml:2: include 'models/aa' not found; tried "),
                    HasSubstr("/models/aa.toml"), HasSubstr("did you mean 'models/a'?")));
  EXPECT_THAT(message(base("include = \"models/a\"\n"), ErrorCode::invalid_argument),
              HasSubstr("expected a list of names"));
  EXPECT_THAT(message(base("include = [3]\n"), ErrorCode::invalid_argument),
              HasSubstr("expected a list of names"));

  // The same piece twice on different ways is no cycle.
  write("models/leaf.toml", minimal);
  write("storage/p.toml", "include = [\"models/leaf\"]\n");
  write("storage/q.toml", "include = [\"models/leaf\"]\n");
  EXPECT_TRUE(base("include = [\"storage/p\", \"storage/q\"]\n"));
}

TEST_F(ConfigTest, AModelBesideItsConfigurationIsFoundFromAnywhere) {
  const std::string beside = write("suites/a model.safetensors", "");
  const std::string piece = write("models/in a piece.safetensors", "");
  write("models/x.toml", "[model]\nsafetensors = \"in a piece.safetensors\"\n");
  const std::string strategy = "[parallel]\nstrategy = \"ddp\"\n";
  const auto model = [&](const std::string& text, const Overrides& overrides = {}) {
    return base(text + strategy, overrides).value().model.safetensors;
  };
  EXPECT_EQ(model("[model]\nsafetensors = \"a model.safetensors\"\n"), beside);
  EXPECT_EQ(model("include = [\"models/x\"]\n"), piece);
  EXPECT_EQ(model("[model]\nsafetensors = \"nowhere.safetensors\"\n"), "nowhere.safetensors");
  EXPECT_EQ(model("[model]\nsafetensors = \"x\"\n", {"model.safetensors=a model.safetensors"}),
            "a model.safetensors")
      << "--set counts from the working folder";
  const auto swept =
      cases(strategy + "[sweep]\n\"model.safetensors\" = [\"a model.safetensors\"]\n");
  ASSERT_TRUE(swept) << swept.error().message;
  EXPECT_EQ(swept->at(0).config.model.safetensors, beside);
  const std::string job = write("suites/a job.json", "");
  const auto from_job = base("[model]\njob = \"a job.json\"\n[load]\nfrom = \"../models\"\n");
  ASSERT_TRUE(from_job) << from_job.error().message;
  EXPECT_EQ(from_job->model.job, job);
  EXPECT_TRUE(
      std::filesystem::equivalent(from_job->load.from, std::filesystem::path(piece).parent_path()))
      << from_job->load.from;
}

TEST_F(ConfigTest, OverridesAreTomlOrElseStrings) {
  EXPECT_EQ(minimal_with("storage.directory=/tmp/#x").storage.directory, "/tmp/#x");
  EXPECT_EQ(minimal_with("storage.directory=\"a b\"").storage.directory, "a b");
  EXPECT_EQ(minimal_with("storage.directory=a=b").storage.directory, "a=b");
  for (const char* word : {"12", "0.50", "1e3", "true", "2026-11-27", "12:30:00", "inf"}) {
    EXPECT_EQ(minimal_with(fmt::format("storage.directory={}", word)).storage.directory, word);
  }
  EXPECT_EQ(minimal_with("storage.directory=a\nb = 1").storage.directory, "a\nb = 1");
  EXPECT_EQ(minimal_with("model.scale = 0.25").model.scale, 0.25);
  EXPECT_EQ(minimal_with("run.cold_read=false").run.cold_read, false);
  EXPECT_THAT(minimal_with("run.benchmarks=['plan', 'load']").run.benchmarks,
              ElementsAre("plan", "load"));
  EXPECT_THAT(minimal_with("storage.hints.cb_nodes=4").storage.hints,
              ElementsAre(Pair("cb_nodes", "4")));
  EXPECT_THAT(minimal_with("storage.assume.coherent=no").storage.assume,
              ElementsAre(Pair("coherent", "no")));
  EXPECT_THAT(set_refusal("storage.assume.coherence=no"), HasSubstr("did you mean 'coherent'"));
  EXPECT_THAT(set_refusal("storage.assume.locks=maybe"), HasSubstr("everywhere"));
  EXPECT_THAT(set_refusal("storage.directory="), HasSubstr("found the string \"\""));
  EXPECT_THAT(set_refusal("run.ranks"), HasSubstr("--set run.ranks: expected section.key=value"));
  EXPECT_THAT(set_refusal("ranks=3"), HasSubstr("expected section.key=value"));
  EXPECT_THAT(set_refusal("run.rank=3"), HasSubstr("'run.ranks'?"));

  const auto last = base(minimal, {"run.keep=1", "run.keep=2", "storage.hints.a=1",
                                   "storage.hints.a=2", "storage.hints.b=x"});
  ASSERT_TRUE(last);
  EXPECT_EQ(last->run.keep, 2);
  EXPECT_THAT(last->storage.hints, ElementsAre(Pair("a", "2"), Pair("b", "x")));
}

}  // namespace
}  // namespace shardmark::bench
