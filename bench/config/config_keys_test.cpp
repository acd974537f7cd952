// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* defaults = R"([model]
name = "m"
optimizer = "adamw"
experts = "separate"
matrix_sizes = "8192x8192,8192x8192,8192"

[parallel]
strategy = "ddp"
block_size = 256

[planner]
kind = "layout"
dedup = "balanced"
cache = false

[storage]
backend = "hdf5"
directory = "checkpoints"
layout = "auto"
io = "direct"
o_direct = true
threads = 0
checksum = "xxh3"
async = false
staging_bytes = 0
alignment_threshold = 0
allow_padding = false
meta_block_size = 1048576
exchange = "auto"
exchange_bytes = 0
aggregators = 0
stripe_size = 0
stripe_count = 0
hints = {}
coherent = "auto"
assume = {}

[load]
checksum = "read"
replicas = "read"
strict = true
sieve_gap = 65536
exchange = "auto"

[reshard]
save_ranks = 0
load_ranks = 0

[run]
ranks = 4
world = 0
benchmarks = ["hooks", "plan", "save", "load"]
repetitions = 9
warmup = 1
cold_read = true
verify = "full"
interference = false
keep = 0
late = "end"
)";

constexpr const char* every_key = R"toml(
[model]
name = "llama3-8b"
scale = 0.05
dtype = "float8_e5m2"
optimizer = "sgd-momentum"
safetensors = "/m/some.model.safetensors"
experts = "stacked"
matrix_sizes = "3x4"
[parallel]
strategy = "fsdp-tp"
dp_replicate = 2
dp_shard = -1
tp = 4
pp = 3
ep = 1
order = "tp-pp-dp"
grid_rows = 2
block_size = 32
rules = {"*.experts.*.weight" = "S(0)", "lm_head.weight" = "R,S(1)"}
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
exchange = "off"
exchange_bytes = "32MiB"
aggregators = 3
stripe_size = "4MiB"
stripe_count = -1
hints = {cb_nodes = 2, romio_cb_write = "enable", flag = true}
[load]
checksum = "full"
replicas = "read"
strict = false
sieve_gap = 0
exchange = "node"
from = "/saved/before"
[reshard]
saved_strategy = "fsdp"
save_ranks = 3
load_ranks = 2

[run]
ranks = 8
world = 512
play = "0-2,3,256-259"
benchmarks = ["save"]
repetitions = 3
warmup = 0
cold_read = false
verify = "sample"
interference = true
keep = 2
deadline = 2.5
late = "warn"
)toml";

TEST_F(ConfigTest, DefaultsAreTheDesignsOrTheNearestBuilt) {
  const auto config = base(minimal);
  ASSERT_TRUE(config);
  EXPECT_EQ(config_text(*config), defaults);
  EXPECT_FALSE(config->storage.alignment);
  EXPECT_FALSE(config->run.deadline);
}

TEST_F(ConfigTest, EveryKeyIsRead) {
  const auto config = base(every_key);
  ASSERT_TRUE(config) << config.error().message;
  Config expected;
  expected.model = {
      "some.model", 0.05, Dtype::float8_e5m2, "sgd-momentum", "/m/some.model.safetensors",
      "stacked",    "3x4"};
  expected.parallel = {
      "fsdp-tp",  2,
      -1,         4,
      3,          1,
      "tp-pp-dp", 2,
      32,         {{"*.experts.*.weight", {"S(0)", ""}}, {"lm_head.weight", {"R,S(1)", ""}}}};
  expected.planner = {"coordinator", "lowest-rank", false};
  expected.storage = {"null",
                      "/x y",
                      "auto",
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
                      "off",
                      32 << 20,
                      3,
                      4 << 20,
                      -1,
                      {{"cb_nodes", "2"}, {"flag", "true"}, {"romio_cb_write", "enable"}},
                      "auto",
                      {}};
  expected.load = {"full", "read", false, 0, "node", "/saved/before"};
  expected.reshard = {"fsdp", 3, 2};
  expected.run = {8, 512, "0-3,256-259", {"save"}, 3, 0, false, "sample", true, 2, 2.5, "warn"};
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

TEST_F(ConfigTest, DeadlinesAreSecondsOrAuto) {
  EXPECT_EQ(minimal_with("run.deadline=20").run.deadline, 20);
  EXPECT_EQ(minimal_with("run.deadline=0.25").run.deadline, 0.25);
  EXPECT_EQ(minimal_with("run.deadline=auto").run.deadline, std::nullopt);
  for (const char* const wrong : {"0", "-1", "nan", "inf", "2e9", "\"soon\"", "true"}) {
    EXPECT_THAT(refusal(std::string("[run]\ndeadline = ") + wrong + "\n"),
                HasSubstr("run.deadline: found"))
        << wrong;
  }
  EXPECT_THAT(refusal("[run]\nlate = \"kill\"\n"), HasSubstr("expected one of end, warn"));
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
              AllOf(HasSubstr(":1: unknown key 'inclde', expected model, "),
                    HasSubstr("; did you mean 'include'?")));
  EXPECT_THAT(set_refusal("planner.kind=cordinator"),
              HasSubstr("expected one of coordinator, tree, layout; did you mean 'coordinator'?"));
  EXPECT_THAT(set_refusal("planner.kind=zzz"), Not(HasSubstr("did you mean")));
  EXPECT_THAT(set_refusal("model.dtype=bfloat61"), HasSubstr("; did you mean 'bfloat16'?"));
  EXPECT_THAT(set_refusal("model.optimizer=adam"), HasSubstr("'adamw'?"));
  EXPECT_THAT(set_refusal("run.benchmarks=[\"laod\"]"), HasSubstr("'load'?"));
  EXPECT_THAT(set_refusal("stroage.io=collective"), HasSubstr("did you mean 'storage.io'?"));
}

TEST_F(ConfigTest, GroupsAreCounted) {
  EXPECT_EQ(minimal_with("storage.layout=groups:12").storage.layout, "groups:12");
  for (const char* wrong : {"groups", "groups:", "groups:M", "groups:0", "groups:02", "groups:-1",
                            "groups:2x", "groups:9999999999999999999"}) {
    EXPECT_THAT(set_refusal(std::string("storage.layout=") + wrong),
                HasSubstr("expected one of auto, shared, shared-chunked"));
  }
}

TEST_F(ConfigTest, AlignmentIsAutoOrBytes) {
  EXPECT_EQ(minimal_with("storage.alignment=64KiB").storage.alignment, 65536);
  EXPECT_EQ(minimal_with("storage.alignment=auto").storage.alignment, std::nullopt);
  EXPECT_THAT(set_refusal("storage.alignment=0"), HasSubstr("expected \"auto\", or bytes"));
  EXPECT_THAT(set_refusal("storage.alignment=many"), HasSubstr("\"auto\", or bytes"));
}

TEST_F(ConfigTest, KeysWithoutDefaultMustBeThere) {
  EXPECT_THAT(message(base("[parallel]\nstrategy = \"ddp\"\n"), ErrorCode::invalid_argument),
              HasSubstr("model.name is missing and has no default"));
  EXPECT_THAT(message(base("[model]\nname = \"m\"\n"), ErrorCode::invalid_argument),
              HasSubstr("parallel.strategy is missing"));
  EXPECT_TRUE(base("model.safetensors = \"a/b.safetensors\"\nparallel.strategy = \"ddp\"\n"));
}

TEST_F(ConfigTest, StripesAreSizesThatFileSystemsTake) {
  EXPECT_EQ(minimal_with("storage.stripe_size=64KiB").storage.stripe_size, 65536);
  EXPECT_EQ(minimal_with("storage.stripe_count=-1").storage.stripe_count, -1);
  for (const char* wrong : {"100000", "-65536", "4GiB"}) {
    EXPECT_THAT(set_refusal(std::string("storage.stripe_size=") + wrong),
                HasSubstr("expected bytes from 0 to 4294901760, a multiple of 65536"));
  }
  for (const char* wrong : {"-2", "2001", "many"}) {
    EXPECT_THAT(set_refusal(std::string("storage.stripe_count=") + wrong),
                HasSubstr("expected an integer from -1 to 2000"));
  }
}

TEST_F(ConfigTest, StripesAreNoHints) {
  EXPECT_THAT(message(base(std::string(minimal) + "[storage]\nhints = {striping_factor = 4}\n"),
                      ErrorCode::invalid_argument),
              AllOf(HasSubstr("t.toml:"), HasSubstr("storage.hints.striping_factor cannot act")));
}

TEST_F(ConfigTest, RulesAreOfTheTextAndItsHash) {
  const char* const written = "rules = {\"b.*\" = \"R\", \"*.w\" = \"S(0),SS(1,2)\"}\n";
  const auto config = base(minimal + std::string(written));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config_text(*config),
              HasSubstr("rules = {\"*.w\" = \"S(0),SS(1,2)\", \"b.*\" = \"R\"}"));
  EXPECT_EQ(*base(config_text(*config)), *config);
  EXPECT_NE(config_hash(config_text(*config)), config_hash(config_text(*base(minimal))));
  EXPECT_THAT(config->parallel.rules.at("b.*").origin, HasSubstr("t.toml:5"));
  // One of them, or all, from the command line.
  const auto one = base(minimal + std::string(written), {"parallel.rules.b.*=S(1)"});
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->parallel.rules.at("b.*").placements, "S(1)");
  EXPECT_EQ(one->parallel.rules.size(), 2U);
  EXPECT_EQ(minimal_with("parallel.rules={\"x\" = \"R\"}").parallel.rules.size(), 1U);
}

TEST_F(ConfigTest, RulesThatAreNoneAreRefused) {
  for (const char* placements :
       {"\"Q(0)\"", "\"\"", "\"P\"", "\"S(0),\"", "3", "[\"R\"]", "\"SS(0,0)\""}) {
    const std::string message = refusal(std::string("rules = {\"*.w\" = ") + placements + "}\n");
    EXPECT_THAT(message, HasSubstr("t.toml:5: parallel.rules: \"*.w\": found ")) << placements;
    EXPECT_THAT(message, HasSubstr("expected S(d), R or SS(d,k)"));
  }
  EXPECT_THAT(refusal("rules = \"R\"\n"), HasSubstr("expected a table of placements by glob"));
  EXPECT_THAT(set_refusal("parallel.rules.lm_head.weight=X"),
              HasSubstr("--set parallel.rules.lm_head.weight=X"));
}

}  // namespace
}  // namespace shardmark::bench
