// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cstdlib>

#include "bench/config/config_lookup.hpp"
#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST_F(ConfigTest, NoTomlIsAnErrorWithItsPlace) {
  EXPECT_THAT(message(base("[model]\nname = \n"), ErrorCode::invalid_argument),
              HasSubstr("t.toml:2:8: not valid TOML: "));
  EXPECT_THAT(message(base("[run]\nkeep = 1\nkeep = 2\n"), ErrorCode::invalid_argument),
              HasSubstr(":3:"));
}

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

TEST_F(ConfigTest, OverridesAreTomlOrElseStrings) {
  EXPECT_EQ(minimal_with("storage.directory=/tmp/#x").storage.directory, "/tmp/#x");
  EXPECT_EQ(minimal_with("storage.directory=\"a b\"").storage.directory, "a b");
  EXPECT_EQ(minimal_with("storage.directory=a=b").storage.directory, "a=b");
  EXPECT_EQ(minimal_with("storage.directory=a\nb = 1").storage.directory, "a\nb = 1");
  EXPECT_EQ(minimal_with("model.scale = 0.25").model.scale, 0.25);
  EXPECT_EQ(minimal_with("run.cold_read=false").run.cold_read, false);
  EXPECT_THAT(minimal_with("run.benchmarks=['plan', 'load']").run.benchmarks,
              ElementsAre("plan", "load"));
  EXPECT_THAT(minimal_with("storage.hints.cb_nodes=4").storage.hints,
              ElementsAre(Pair("cb_nodes", "4")));
  EXPECT_THAT(set_refusal("storage.directory="), HasSubstr("found the string \"\""));
  EXPECT_THAT(set_refusal("storage.directory=7"), HasSubstr("found the integer 7"));
  EXPECT_THAT(set_refusal("run.ranks"), HasSubstr("--set run.ranks: expected section.key=value"));
  EXPECT_THAT(set_refusal("ranks=3"), HasSubstr("expected section.key=value"));
  EXPECT_THAT(set_refusal("run.rank=3"), HasSubstr("'run.ranks'?"));

  const auto last = base(minimal, {"run.keep=1", "run.keep=2", "storage.hints.a=1",
                                   "storage.hints.a=2", "storage.hints.b=x"});
  ASSERT_TRUE(last);
  EXPECT_EQ(last->run.keep, 2);
  EXPECT_THAT(last->storage.hints, ElementsAre(Pair("a", "2"), Pair("b", "x")));
}

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

TEST_F(ConfigTest, ConfigsAreFoundByPathOrName) {
  const std::string path = write("suites/mine.toml", minimal);
  const std::vector<std::string> roots = {"/nowhere", root_.string()};
  EXPECT_EQ(*find_config("mine", roots), path);
  EXPECT_EQ(*find_config(path, {}), path);
  EXPECT_THAT(message(find_config("mime", roots), ErrorCode::not_found),
              AllOf(HasSubstr("'mime' not found; tried /nowhere/suites/mime.toml, " +
                              root_.string() + "/suites/mime.toml"),
                    HasSubstr("did you mean 'mine'?")));
  EXPECT_THAT(message(find_config("mine.toml", roots), ErrorCode::not_found),
              HasSubstr("is a path, and there is no such file"));
  EXPECT_THAT(message(find_config("./mine", roots), ErrorCode::not_found), HasSubstr("is a path"));
  EXPECT_THAT(message(find_config("", roots), ErrorCode::not_found), HasSubstr("empty"));
  EXPECT_THAT(message(read((root_ / "suites").string() + "/"), ErrorCode::invalid_argument),
              HasSubstr("is a directory"));
}

TEST_F(ConfigTest, ASuiteBringsItsOwnPieces) {
  write("models/x.toml", minimal);
  const std::string suite = write("suites/s.toml", "include = [\"models/x\"]\n");
  EXPECT_TRUE(read_config(suite, {}, {}));
  EXPECT_EQ(*find_piece("models/x", "/elsewhere/s.toml", std::vector{root_.string()}),
            root_.string() + "/models/x.toml");
  EXPECT_FALSE(find_piece("models/x", "/elsewhere/s.toml", {}));
}

TEST_F(ConfigTest, RootsAreTheVariablesThenTheSourceTreesThenTheInstalled) {
  fs::create_directories(root_ / "around/configs/suites");
  const std::string around = (root_ / "around").string();
  setenv("SHARDMARK_CONFIG_PATH", ("/first::" + around + ":/first").c_str(), 1);
  const auto roots = config_roots();
  unsetenv("SHARDMARK_CONFIG_PATH");
  ASSERT_EQ(roots.size(), 4U);
  EXPECT_EQ(roots[0], "/first");
  EXPECT_EQ(roots[1], around + "/configs");
  EXPECT_EQ(roots[2], std::string(SHARDMARK_SOURCE_DIR) + "/configs");
  const fs::path executable = fs::read_symlink("/proc/self/exe");
  EXPECT_EQ(roots[3],
            (executable.parent_path().parent_path() / "share/shardmark/configs").string());
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

}  // namespace
}  // namespace shardmark::bench
