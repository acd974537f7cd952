// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bench/config/byte_size.hpp"
#include "bench/config/config_keys.hpp"
#include "bench/config/config_lookup.hpp"
#include "bench/config/nearest_name.hpp"
#include "bench/config/resolve.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

using Overrides = std::vector<std::string>;

constexpr const char* minimal = "[model]\nname = \"m\"\n[parallel]\nstrategy = \"ddp\"\n";

/// A configs folder of its own for each test.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(testing::TempDir()) /
            ("shardmark_config_" + std::to_string(getpid()) + "_" + info->name());
    fs::create_directories(root_ / "suites");
  }
  ~ConfigTest() override { fs::remove_all(root_); }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  Result<ConfigDocument> read(const std::string& config, const Overrides& overrides = {}) {
    return read_config(config, overrides, std::vector<std::string>{root_.string()});
  }

  Result<Config> base(const std::string& text, const Overrides& overrides = {}) {
    SHARDMARK_ASSIGN_OR_RETURN(const auto document, read(write("suites/t.toml", text), overrides));
    return resolve(document);
  }

  Result<std::vector<SweepCase>> cases(const std::string& text, const Overrides& overrides = {}) {
    SHARDMARK_ASSIGN_OR_RETURN(const auto document, read(write("suites/t.toml", text), overrides));
    return resolve_sweep(document);
  }

  /// The message of a minimal configuration with `text` added; expects the code.
  std::string refusal(const std::string& text, ErrorCode code = ErrorCode::invalid_argument) {
    return message(base(minimal + text), code);
  }

  std::string set_refusal(const std::string& set, ErrorCode code = ErrorCode::invalid_argument) {
    return message(base(minimal, {set}), code);
  }

  template <typename T>
  std::string message(const Result<T>& result, ErrorCode code) {
    if (result) {
      ADD_FAILURE() << "accepted";
      return {};
    }
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_EQ(std::count(result.error().message.begin(), result.error().message.end(), '\n'), 0);
    return result.error().message;
  }

  Config minimal_with(const std::string& set) {
    const auto config = base(minimal, {set});
    EXPECT_TRUE(config) << (config ? "" : config.error().message);
    return config ? *config : Config();
  }

  fs::path root_;
};

TEST_F(ConfigTest, DefaultsAreTheDesignsOrTheNearestBuilt) {
  const auto config = base(minimal);
  ASSERT_TRUE(config);
  EXPECT_EQ(config_text(*config), R"([model]
name = "m"
optimizer = "adamw"

[parallel]
strategy = "ddp"

[planner]
kind = "coordinator"
dedup = "balanced"
cache = false

[storage]
backend = "hdf5"
directory = "checkpoints"
layout = "shared"
io = "independent"
o_direct = true
threads = 0
checksum = "xxh3"
async = false
staging_bytes = 0
alignment_threshold = 0
allow_padding = false
meta_block_size = 1048576
hints = {}

[load]
checksum = "read"
replicas = "read"
strict = true
sieve_gap = 65536

[run]
ranks = 4
benchmarks = ["hooks", "plan", "save", "load"]
repetitions = 9
warmup = 1
cold_read = true
verify = "full"
keep = 0
)");
  EXPECT_FALSE(config->storage.alignment);
}

TEST_F(ConfigTest, EveryKeyIsRead) {
  const auto config = base(R"(
[model]
name = "llama3-8b"
scale = 0.05
dtype = "float8_e5m2"
optimizer = "sgd-momentum"
[parallel]
strategy = "fsdp-tp"
dp_replicate = 2
dp_shard = -1
tp = 4
pp = 3
ep = 1
order = "tp-pp-dp"
[planner]
kind = "coordinator"
dedup = "lowest-rank"
cache = false
[storage]
backend = "null"
directory = "/x y"
layout = "auto"
io = "collective"
o_direct = false
threads = 3
checksum = "none"
async = false
staging_bytes = "1GiB"
alignment = "auto"
alignment_threshold = 4096
allow_padding = true
meta_block_size = "2MiB"
hints = {cb_nodes = 2, romio_cb_write = "enable", flag = true}
[load]
checksum = "full"
replicas = "read"
strict = false
sieve_gap = 0
[run]
ranks = 8
benchmarks = ["save"]
repetitions = 3
warmup = 0
cold_read = false
verify = "sample"
keep = 2
)");
  ASSERT_TRUE(config) << config.error().message;
  Config expected;
  expected.model = {"llama3-8b", 0.05, Dtype::float8_e5m2, "sgd-momentum"};
  expected.parallel = {"fsdp-tp", 2, -1, 4, 3, 1, "tp-pp-dp"};
  expected.planner = {"coordinator", "lowest-rank", false};
  expected.storage = {"null",
                      "/x y",
                      "shared",
                      "collective",
                      false,
                      3,
                      "none",
                      false,
                      std::int64_t{1} << 30,
                      std::nullopt,
                      4096,
                      true,
                      2 << 20,
                      {{"cb_nodes", "2"}, {"flag", "true"}, {"romio_cb_write", "enable"}}};
  expected.load = {"full", "read", false, 0};
  expected.run = {8, {"save"}, 3, 0, false, "sample", 2};
  EXPECT_EQ(*config, expected) << config_text(*config);
}

TEST_F(ConfigTest, CanonicalTextReadsBackAndItsHashFollowsValuesOnly) {
  const std::string rich =
      "model.scale = 0.00478\n"  // dotted, before its section would be a duplicate
      "storage.hints = {\"a b\" = \"say \\\"x\\\"\", c = 1}\nstorage.meta_block_size = \"2MiB\"\n";
  const auto config = base("model.name = \"m\"\nparallel.strategy = \"ddp\"\n" + rich);
  ASSERT_TRUE(config) << config.error().message;
  const auto again = base(config_text(*config));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *config);

  const std::string hash = config_hash(config_text(*config));
  EXPECT_EQ(hash, config_hash(config_text(*again)));
  EXPECT_EQ(hash.size(), 16U);
  EXPECT_EQ(hash.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(hash, config_hash(config_text(minimal_with("run.keep=1"))));
  // XXH3-64 of nothing, by the published vectors.
  EXPECT_EQ(config_hash(""), "2d06800538d394c2");
}

TEST_F(ConfigTest, WrongTypesNameFileLineKeyFoundAndExpected) {
  const std::string file = (root_ / "suites/t.toml").string();
  EXPECT_EQ(
      refusal("[run]\n\nranks = \"4\"\n"),
      file + ":7: run.ranks: found the string \"4\", expected an integer from 1 to 2147483648");
  EXPECT_THAT(refusal("[run]\nranks = 4.0\n"), HasSubstr("found the number 4.0, expected"));
  EXPECT_THAT(refusal("[run]\nkeep = -1\n"), HasSubstr("expected an integer of at least 0"));
  EXPECT_THAT(refusal("[run]\ncold_read = 1\n"),
              HasSubstr(":6: run.cold_read: found the integer 1, expected true or false"));
  EXPECT_THAT(refusal("[run]\nbenchmarks = \"save\"\n"),
              HasSubstr("expected a list of one or more"));
  EXPECT_THAT(refusal("[run]\nbenchmarks = []\n"), HasSubstr("found the list []"));
  EXPECT_THAT(refusal("[run]\nbenchmarks = [\"save\", \"save\"]\n"), HasSubstr("none twice"));
  EXPECT_THAT(refusal("[run]\nbenchmarks = [\"save\", 3]\n"), HasSubstr("run.benchmarks: found"));
  EXPECT_THAT(refusal("[storage]\ndirectory = \"\"\n"), HasSubstr("a string that is not empty"));
  EXPECT_THAT(refusal("[storage]\nhints = \"a=b\"\n"), HasSubstr("a table of MPI-IO hints"));
  EXPECT_THAT(refusal("[storage]\nhints = {a = [1]}\n"), HasSubstr("a table of MPI-IO hints"));
  EXPECT_THAT(refusal("[storage]\nio = 1979-05-27\n"), HasSubstr("found a date or time"));
  EXPECT_THAT(refusal("[storage]\nio = {a = 1}\n"), HasSubstr("found the table {a = 1}"));
  EXPECT_THAT(message(base("model = 3\n"), ErrorCode::invalid_argument),
              HasSubstr(":1: model: found the integer 3, expected a section [model]"));
}

TEST_F(ConfigTest, RangesAreChecked) {
  for (const char* bad :
       {"run.ranks=0", "run.ranks=2147483649", "run.repetitions=0", "run.warmup=-1",
        "model.scale=0", "model.scale=1.01", "model.scale=-0.1", "model.scale=nan", "parallel.tp=0",
        "parallel.tp=-2", "storage.threads=-1", "storage.meta_block_size=0", "load.sieve_gap=-1",
        "load.sieve_gap=64KB", "load.sieve_gap=1.5MiB", "storage.staging_bytes=-1"}) {
    EXPECT_THAT(set_refusal(bad), HasSubstr(std::string("--set ") + bad + ": ")) << bad;
  }
  EXPECT_EQ(minimal_with("model.scale=1").model.scale, 1.0);
  EXPECT_EQ(minimal_with("parallel.tp=-1").parallel.tp, -1);
  EXPECT_EQ(minimal_with("load.sieve_gap=1MiB").load.sieve_gap, 1 << 20);
}

TEST_F(ConfigTest, UnknownNamesComeWithTheNearest) {
  EXPECT_THAT(refusal("[storage]\nlayuot = \"shared\"\n"),
              AllOf(HasSubstr(":6: unknown key 'storage.layuot', expected one of backend, "),
                    HasSubstr("; did you mean 'storage.layout'?")));
  EXPECT_THAT(refusal("[storge]\nlayout = \"shared\"\n"),
              AllOf(HasSubstr(":5: unknown section 'storge'"), HasSubstr("'storage'?")));
  EXPECT_THAT(refusal("[storage]\nkind = \"coordinator\"\n"), HasSubstr("'planner.kind'?"));
  EXPECT_THAT(message(base("inclde = []\n"), ErrorCode::invalid_argument),
              HasSubstr(":1: unknown key 'inclde'; did you mean 'include'?"));
  EXPECT_THAT(set_refusal("planner.kind=cordinator"),
              HasSubstr("expected one of coordinator, tree, layout; did you mean 'coordinator'?"));
  EXPECT_THAT(set_refusal("planner.kind=zzz"), Not(HasSubstr("did you mean")));
  EXPECT_THAT(set_refusal("model.dtype=bfloat61"), HasSubstr("; did you mean 'bfloat16'?"));
  EXPECT_THAT(set_refusal("model.optimizer=adam"), HasSubstr("'adamw'?"));
  EXPECT_THAT(set_refusal("run.benchmarks=[\"laod\"]"), HasSubstr("'load'?"));
  EXPECT_THAT(set_refusal("stroage.io=collective"), HasSubstr("did you mean 'storage.io'?"));
}

TEST_F(ConfigTest, DesignedButNotBuiltIsUnsupported) {
  const std::vector<std::pair<std::string, std::string>> planned = {
      {"planner.kind=tree", "coordinator"},
      {"planner.kind=layout", "coordinator"},
      {"planner.dedup=dcp", "one of balanced, lowest-rank"},
      {"planner.dedup=split", "one of balanced, lowest-rank"},
      {"planner.cache=true", "false"},
      {"storage.backend=posix", "one of hdf5, null"},
      {"storage.backend=posix-shared", "hdf5"},
      {"storage.backend=mpiio", "hdf5"},
      {"storage.layout=shared-chunked", "shared"},
      {"storage.layout=per-rank", "shared"},
      {"storage.layout=per-node", "shared"},
      {"storage.layout=groups:2", "shared"},
      {"storage.layout=packed", "shared"},
      {"storage.io=direct", "collective, independent"},
      {"storage.async=true", "false"},
      {"storage.alignment=4KiB", "\"auto\""},
      {"storage.alignment=4096", "\"auto\""},
      {"load.replicas=broadcast", "read"},
      {"run.benchmarks=[\"save\", \"reshard\"]", "save, load"},
      {"run.benchmarks=[\"ceiling\"]", "save, load"},
      {"model.safetensors=a.safetensors", "model.name"}};
  for (const auto& [set, available] : planned) {
    EXPECT_THAT(set_refusal(set, ErrorCode::unsupported),
                AllOf(HasSubstr("--set " + set + ": "),
                      HasSubstr("not available in this version, expected"), HasSubstr(available)));
  }
  EXPECT_EQ(exit_code(ErrorCode::unsupported), 2);
  EXPECT_THAT(set_refusal("storage.alignment=many"), HasSubstr("\"auto\", or bytes"));
}

TEST_F(ConfigTest, KeysWithoutDefaultMustBeThere) {
  EXPECT_THAT(message(base("[parallel]\nstrategy = \"ddp\"\n"), ErrorCode::invalid_argument),
              HasSubstr("model.name is missing and has no default"));
  EXPECT_THAT(message(base("[model]\nname = \"m\"\n"), ErrorCode::invalid_argument),
              HasSubstr("parallel.strategy is missing"));
}

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
  EXPECT_THAT(seen, ElementsAre("ddp/collective", "ddp/independent", "fsdp/collective",
                                "fsdp/independent"));
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
  const std::string planned = "[sweep]\n\"storage.layout\" = [\"shared\", \"per-rank\"]\n";
  EXPECT_TRUE(base(minimal + planned));
  EXPECT_THAT(message(cases(minimal + planned), ErrorCode::unsupported),
              HasSubstr("t.toml:6: storage.layout: \"per-rank\" is not available"));
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

TEST(ByteSize, UnitsAreBinaryAndOverflowIsRefused) {
  EXPECT_EQ(parse_byte_size("0"), 0);
  EXPECT_EQ(parse_byte_size("17"), 17);
  EXPECT_EQ(parse_byte_size("17B"), 17);
  EXPECT_EQ(parse_byte_size("64KiB"), 65536);
  EXPECT_EQ(parse_byte_size("3 MiB"), 3145728);
  EXPECT_EQ(parse_byte_size("2GiB"), 2147483648);
  EXPECT_EQ(parse_byte_size("1TiB"), 1099511627776);
  EXPECT_EQ(parse_byte_size("8388607TiB"), 9223370937343148032);
  for (const char* bad : {"", "KiB", "-1", "+1", "1.5MiB", "1KB", "1kib", "8388608TiB", "1 ", " 1",
                          "9223372036854775808", "1  KiB"}) {
    EXPECT_EQ(parse_byte_size(bad), std::nullopt) << bad;
  }
}

TEST(NearestName, CountsEditsAndForgivesFew) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("abcd", "abdc"), 1U);  // a swap
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);     // swapped letters are not edited again
  constexpr std::array<std::string_view, 3> known = {"ddp", "fsdp", "zero1"};
  EXPECT_EQ(nearest_name("dpd", known), "ddp");
  EXPECT_EQ(nearest_name("fsp", known), "fsdp");
  EXPECT_EQ(nearest_name("megatron", known), "");
  EXPECT_EQ(did_you_mean("zero", known), "; did you mean 'zero1'?");
  EXPECT_EQ(did_you_mean("x", known), "");
}

}  // namespace
}  // namespace shardmark::bench
