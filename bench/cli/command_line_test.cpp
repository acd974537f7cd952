// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/cli/driven_command.hpp"
#include "bench/cli/refusal_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Words chunk_words(const std::string& shape, const std::string& mesh,
                  const std::string& placements) {
  return {"chunks", "--shape", shape, "--mesh", mesh, "--placements", placements, "--json"};
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  expect_refusal({}, "no command, expected one of models, chunks");
  expect_refusal({"plann"}, "unknown command 'plann'");
  expect_refusal({"plann"}, "did you mean 'plan'?");
  expect_refusal({"--verson"}, "unexpected argument '--verson'; did you mean '--version'?");
  expect_refusal({"chunks", "--shap", "4"},
                 "unexpected argument '--shap'; did you mean '--shape'?");
  expect_refusal({"chunks", "--mesh", "4"}, "--shape is required");
  expect_refusal({"chunks", "--shape", "4"}, "--mesh: found nothing");
  expect_refusal({"chunks", "--shape"}, "--shape");
  expect_refusal({"models", "a", "b"}, "unexpected argument 'b'");
  expect_refusal({"save", "quick", "--step", "1"}, "--dir is required");
  expect_refusal({"plan"}, "CONFIG is required");
  expect_refusal({"run", "smoke", "--repetitions=3"}, "unexpected argument '--repetitions=3'");
  const Outcome machine = shardmark({"plann", "--json"});
  EXPECT_EQ(json::parse(machine.out)["error"]["code"], 2);
  EXPECT_THAT(machine.err, HasSubstr("plann"));
}

TEST(CommandLine, ReadsIntegersAsDecimalsInTheirRange) {
  for (const char* bad : {"-1", "100000000", "abc", "1.5", "0x10", "", " 1"}) {
    expect_refusal(
        {"save", "smoke", "--dir", "d", "--step", bad},
        std::string("--step: found '") + bad + "', expected an integer from 0 to 99999999");
    expect_refusal({"inspect", "d", "--step", bad}, "--step");
  }
  expect_refusal({"save", "smoke", "--dir", "d", "--step", "1", "--seed", "-1"},
                 "--seed: found '-1'");
  expect_refusal({"plan", "smoke", "--world", "0"}, "--world: found '0'");
}

TEST(CommandLine, ExplainsConfigurationsThatItCannotRead) {
  for (const char* command : {"plan", "run"}) {
    expect_refusal({command, "quik"}, "configuration 'quik' not found; tried ");
    expect_refusal({command, "quik"}, "did you mean 'quick'?");
    expect_refusal({command, "smoke", "--set", "storage.io=dirct"}, "did you mean 'direct'?");
    expect_refusal({command, "smoke", "--set", "storage.oi=x"}, "did you mean 'storage.io'?");
    expect_refusal({command, "no/such.toml"}, "no such file");
  }
  const auto folder = std::filesystem::path(::testing::TempDir()) / "shardmark_command_configs";
  std::filesystem::create_directories(folder / "suites");
  std::ofstream(folder / "suites/own.toml") << "[run]\nranks = true\n";
  const Outcome outcome = shardmark({"plan", "own"}, {"SHARDMARK_CONFIG_PATH=" + folder.string()});
  EXPECT_THAT(outcome.err, HasSubstr("own.toml:2: run.ranks: found the boolean true"));
  std::filesystem::remove_all(folder);
}

TEST(CommandLine, HelpHasExamplesEverywhere) {
  EXPECT_THAT(shardmark({"--help"}).out, HasSubstr("Examples:"));
  for (const char* command :
       {"models", "chunks", "plan", "run", "save", "load", "inspect", "probe", "torture"}) {
    const Outcome outcome = shardmark({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, AllOf(HasSubstr(std::string("shardmark ") + command),
                                   HasSubstr("Examples:"), HasSubstr("--json")));
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST(CommandLine, SaysWhatItIsMadeOf) {
  const Outcome outcome = shardmark({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* part : {"shardmark ", "\ncommit ", "\nHDF5 1.", "\nfmt ",
                           "\nGoogle Benchmark 1.", "\nbuild type "}) {
    EXPECT_THAT(outcome.out, HasSubstr(part));
  }
  const json document = json::parse(shardmark({"--version", "--json"}).out);
  for (const char* key : {"shardmark_version", "commit", "dirty", "mpi", "hdf5", "fmt",
                          "google_benchmark", "compiler", "build_type"}) {
    EXPECT_TRUE(document.contains(key)) << key;
  }
  EXPECT_TRUE(document["dirty"].is_boolean());
}

TEST(CommandLine, LocalCommandsRunOnRankZeroAlone) {
  const Words arguments = chunk_words("4", "2", "R");
  const std::string alone = shardmark(arguments).out;
  EXPECT_EQ(shardmark(arguments, {"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=0"}).out, alone);
  for (const Words& variables : {Words{"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=3"},
                                 Words{"PMIX_RANK=1"}, Words{"PMI_RANK=2"}}) {
    for (const Words& words : {arguments, Words{"--version"}, Words{"chunks", "--help"},
                               Words{"chunks", "--shap"}, Words{"plan", "no-such"}}) {
      const Outcome outcome = shardmark(words, variables);
      EXPECT_EQ(outcome.exit_code, 0) << ::testing::PrintToString(words);
      EXPECT_THAT(outcome.out + outcome.err, IsEmpty());
    }
  }
}

TEST(CommandLine, AFullOrClosedStandardOutputIsAFailure) {
  const Outcome outcome = shardmark(chunk_words("4", "2", "R"), {}, "/dev/full");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cannot write to standard output: No space left on device"));
}

TEST(CommandLine, JsonStaysUtf8WhateverTheArguments) {
  Words arguments = chunk_words("\xff", "2", "R");
  const json document = json::parse(shardmark(arguments).out);
  EXPECT_THAT(document["error"]["message"].get<std::string>(), HasSubstr("\xEF\xBF\xBD"));
}

}  // namespace
}  // namespace shardmark::bench
