// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/cli/driven_command.hpp"
#include "bench/cli/refusal_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace shardmark::bench
