// SPDX-License-Identifier: Apache-2.0
// Drives the built command as a user does: exit codes, stdout, stderr, JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/cli/driven_command.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

/// One message of at most six lines on stderr, nothing on stdout, the given code.
void expect_refusal(const Words& arguments, const std::string& part, int code = 2) {
  const Outcome outcome = shardmark(arguments);
  EXPECT_EQ(outcome.exit_code, code) << testing::PrintToString(arguments);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, AllOf(StartsWith("shardmark: error: "), HasSubstr(part)));
  EXPECT_LE(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 6);
}

Words chunks(const std::string& shape, const std::string& mesh, const std::string& placements) {
  return {"chunks", "--shape", shape, "--mesh", mesh, "--placements", placements, "--json"};
}

std::string joined(const json& numbers) {
  std::string text;
  for (const json& number : numbers) {
    text += (text.empty() ? "" : ",") + number.dump();
  }
  return text;
}

std::string placement_text(const json& placement) {
  if (placement.contains("shard")) {
    return "S(" + placement["shard"].dump() + ")";
  }
  if (placement.contains("strided_shard")) {
    return "SS(" + placement["strided_shard"].dump() + "," + placement["split_factor"].dump() + ")";
  }
  return placement.contains("partial") ? "P" : "R";
}

/// What the golden case says in the command's own form.
json expected_document(const json& golden) {
  json document = {{"shape", golden["global_shape"]},
                   {"mesh", golden["mesh_shape"]},
                   {"placements", json::array()},
                   {"ranks", json::array()}};
  const auto ndim = static_cast<std::int64_t>(golden["global_shape"].size());
  for (json placement : golden["placements"]) {
    for (const char* kind : {"shard", "strided_shard"}) {
      if (placement.contains(kind) && placement[kind].get<std::int64_t>() < 0) {
        placement[kind] = placement[kind].get<std::int64_t>() + ndim;
      }
    }
    document["placements"].push_back(placement_text(placement));
  }
  for (const json& rank : golden["expected"]) {
    json boxes = json::array();
    if (rank.contains("chunks")) {
      for (const json& chunk : rank["chunks"]) {
        boxes.push_back({{"offsets", chunk["offset"]}, {"sizes", chunk["size"]}});
      }
    } else {
      boxes.push_back({{"offsets", rank["global_offset"]}, {"sizes", rank["local_shape"]}});
    }
    document["ranks"].push_back({{"rank", document["ranks"].size()}, {"chunks", boxes}});
  }
  return document;
}

std::string placements_text(const json& golden) {
  std::string text;
  for (const json& placement : golden["placements"]) {
    text += (text.empty() ? "" : ",") + placement_text(placement);
  }
  return text;
}

json golden_vectors() {
  std::ifstream file(SHARDMARK_SOURCE_DIR "/lib/shardmark/testing/golden/dcp_vectors.json");
  return json::parse(file);
}

TEST(ChunksCommand, GivesEveryGoldenCase) {
  const json golden = golden_vectors();
  ASSERT_EQ(golden["cases"].size(), 320U);
  for (const json& example : golden["cases"]) {
    const Outcome outcome = shardmark(chunks(
        joined(example["global_shape"]), joined(example["mesh_shape"]), placements_text(example)));
    ASSERT_EQ(outcome.exit_code, 0) << example["name"] << outcome.err;
    EXPECT_THAT(outcome.err, IsEmpty());
    EXPECT_EQ(json::parse(outcome.out), expected_document(example)) << example["name"];
  }
}

TEST(ChunksCommand, RefusesTheGoldenErrors) {
  const json golden = golden_vectors();
  ASSERT_EQ(golden["error_cases"].size(), 2U);
  for (const json& example : golden["error_cases"]) {
    const Outcome outcome = shardmark(chunks(
        joined(example["global_shape"]), joined(example["mesh_shape"]), placements_text(example)));
    EXPECT_EQ(outcome.exit_code, 2);
    const json document = json::parse(outcome.out);
    EXPECT_EQ(document["error"]["code"], 2);
    EXPECT_EQ(document["error"]["rank"], 0);
    EXPECT_THAT(outcome.err, HasSubstr(document["error"]["message"].get<std::string>()));
  }
}

TEST(ChunksCommand, NormalisesNegativeDimensionsAndTakesEmptyShapes) {
  const Outcome negative = shardmark(chunks("4,6", "2", " SS(-1, 3) "));
  EXPECT_EQ(json::parse(negative.out)["placements"], json({"SS(1,3)"}));
  const json scalar = {{"rank", 1},
                       {"chunks", {{{"offsets", json::array()}, {"sizes", json::array()}}}}};
  EXPECT_EQ(json::parse(shardmark(chunks("", "2", "R")).out)["ranks"][1], scalar);
  EXPECT_EQ(json::parse(shardmark({"chunks", "--shape=", "--mesh=2", "--placements=R", "--json"})
                            .out)["ranks"][1],
            scalar);
  // Empty shards stand at the extent; keys come in the documented order.
  EXPECT_EQ(shardmark(chunks("1", "2", "S(0)")).out,
            "{\"shape\":[1],\"mesh\":[2],\"placements\":[\"S(0)\"],\"ranks\":["
            "{\"rank\":0,\"chunks\":[{\"offsets\":[0],\"sizes\":[1]}]},"
            "{\"rank\":1,\"chunks\":[{\"offsets\":[1],\"sizes\":[0]}]}]}\n");
}

TEST(ChunksCommand, PrintsATableForPeople) {
  Words arguments = chunks("8", "2", "SS(0,2)");
  arguments.pop_back();
  EXPECT_EQ(shardmark(arguments).out,
            "tensor [8] on mesh [2], placements SS(0,2)\n\n"
            "rank  coordinate  offsets  sizes  elements\n"
            "----  ----------  -------  -----  --------\n"
            "   0  [0]         [0]      [2]           2\n"
            "   0  [0]         [4]      [2]           2\n"
            "   1  [1]         [2]      [2]           2\n"
            "   1  [1]         [6]      [2]           2\n");
}

TEST(ChunksCommand, RefusesBadArguments) {
  const auto refused = [](const std::string& shape, const std::string& mesh,
                          const std::string& placements, const std::string& part) {
    Words arguments = chunks(shape, mesh, placements);
    arguments.pop_back();
    expect_refusal(arguments, part);
  };
  refused("10,x", "2", "R", "--shape '10,x': found 'x', expected extents");
  refused("10,,2", "2", "R", "found ''");
  refused("10,", "2", "R", "found ''");
  refused("-4", "2", "R", "found '-4'");
  refused("9223372036854775808", "2", "R", "--shape");
  refused("4294967296,4294967296", "2", "R", "2^63");
  refused("1,1,1,1,1,1,1,1,1", "2", "R", "8");
  refused("4", "", "", "--mesh: found nothing");
  refused("4", "0", "R", "every extent must be at least 1");
  refused("4", "2", "S(1)", "shard dimension outside the tensor");
  refused("4", "2", "S(-2)", "shard dimension outside the tensor");
  refused("4", "2,2", "R", "1 placements for a mesh of 2 dimensions");
  refused("4", "2", "X", "placement 'X': expected R, P, S(d) or SS(d,k)");
  refused("4", "2", "SS(0,0)", "k >= 1");
  refused("4", "2", "P", "partial placement");
  refused("4", "99999,99999", "R,R", "more than 2^31 ranks");
  refused("4", "65536,1000", "R,R", "more than 4194304 boxes");
  refused("9000000000000", "2", "SS(0,4000000000000)", "more than 4194304 boxes");

  Words arguments = chunks("4", "2", "R");
  arguments.insert(arguments.end(), {"--type", "flatt"});
  EXPECT_THAT(shardmark(arguments).err, HasSubstr("did you mean 'flat'?"));
  EXPECT_EQ(shardmark(arguments).exit_code, 2);
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
  const auto folder = std::filesystem::path(testing::TempDir()) / "shardmark_command_configs";
  std::filesystem::create_directories(folder / "suites");
  std::ofstream(folder / "suites/own.toml") << "[run]\nranks = true\n";
  const Outcome outcome = shardmark({"plan", "own"}, {"SHARDMARK_CONFIG_PATH=" + folder.string()});
  EXPECT_THAT(outcome.err, HasSubstr("own.toml:2: run.ranks: found the boolean true"));
  std::filesystem::remove_all(folder);
}

TEST(CommandLine, HelpHasExamplesEverywhere) {
  EXPECT_THAT(shardmark({"--help"}).out, HasSubstr("Examples:"));
  for (const char* command : {"models", "chunks", "plan", "run", "save", "load", "inspect"}) {
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
  const Words arguments = chunks("4", "2", "R");
  const std::string alone = shardmark(arguments).out;
  EXPECT_EQ(shardmark(arguments, {"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=0"}).out, alone);
  for (const Words& variables : {Words{"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=3"},
                                 Words{"PMIX_RANK=1"}, Words{"PMI_RANK=2"}}) {
    for (const Words& words : {arguments, Words{"--version"}, Words{"chunks", "--help"},
                               Words{"chunks", "--shap"}, Words{"plan", "no-such"}}) {
      const Outcome outcome = shardmark(words, variables);
      EXPECT_EQ(outcome.exit_code, 0) << testing::PrintToString(words);
      EXPECT_THAT(outcome.out + outcome.err, IsEmpty());
    }
  }
}

TEST(CommandLine, AFullOrClosedStandardOutputIsAFailure) {
  const Outcome outcome = shardmark(chunks("4", "2", "R"), {}, "/dev/full");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cannot write to standard output: No space left on device"));
}

TEST(CommandLine, JsonStaysUtf8WhateverTheArguments) {
  Words arguments = chunks("\xff", "2", "R");
  const json document = json::parse(shardmark(arguments).out);
  EXPECT_THAT(document["error"]["message"].get<std::string>(), HasSubstr("\xEF\xBF\xBD"));
}

}  // namespace
}  // namespace shardmark::bench
