// SPDX-License-Identifier: Apache-2.0
// chunks --type: the boxes of every sharded type, by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/cli/commands/chunks_command.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ChunksArguments typed(const std::string& type, const std::string& shape, const std::string& mesh) {
  ChunksArguments arguments;
  arguments.type = type;
  arguments.shape = shape;
  arguments.mesh = mesh;
  arguments.json = true;
  return arguments;
}

/// "0,0+2,4 ...|..." by rank, or the error's message.
std::string boxes(const ChunksArguments& arguments) {
  const auto output = chunks_command(arguments);
  if (!output) {
    EXPECT_EQ(exit_code(output.error().code), 2);
    return output.error().message;
  }
  const json document = json::parse(output->text);
  std::string text;
  for (const json& rank : document["ranks"]) {
    text += rank["rank"] == 0 ? "" : "|";
    for (std::size_t i = 0; i < rank["chunks"].size(); ++i) {
      text += (i == 0 ? "" : " ") + rank["chunks"][i]["offsets"].dump() +
              rank["chunks"][i]["sizes"].dump();
    }
  }
  return text;
}

TEST(ChunksTypes, Sharded) {
  ChunksArguments arguments = typed("sharded", "4,6", "");
  arguments.boxes = "1:0,0:4,2;0:2,2:2,4;0:0,2:2,4;3:4,0:0,6";
  EXPECT_EQ(boxes(arguments), "[0,2][2,4] [2,2][2,4]|[0,0][4,2]|[4,0][0,6]|[4,0][0,6]");
  arguments.boxes = "0:0,0:4,2";
  EXPECT_THAT(boxes(arguments), HasSubstr("no box holds element [0, 2]"));
  arguments.boxes = "0:0,0:4,6;1:1,1:1,1";
  EXPECT_THAT(boxes(arguments), HasSubstr("overlap at [1, 1]"));
  arguments.boxes = "0:0,0";
  EXPECT_THAT(boxes(arguments), HasSubstr("expected rank:offsets:sizes"));
  arguments.boxes = "5:0,0:4,6";
  arguments.mesh = "2";
  EXPECT_THAT(boxes(arguments), HasSubstr("found rank 5"));
  arguments.boxes.clear();
  EXPECT_THAT(boxes(arguments), HasSubstr("placement"));
  arguments.mesh = "2,2";
  arguments.placements = "R,S(0)";
  EXPECT_EQ(boxes(arguments), "[0,0][2,6]|[2,0][2,6]|[4,0][0,6]|[4,0][0,6]");
}

TEST(ChunksTypes, Flat) {
  ChunksArguments arguments = typed("flat", "2,5", "4");
  EXPECT_EQ(boxes(arguments), "[0,0][1,3]|[0,3][1,2] [1,0][1,1]|[1,1][1,3]|[1,4][1,1]");
  arguments.flat_before = "3";
  arguments.flat_after = "3";  // 16 elements, 4 each: this tensor is 3 to 12
  EXPECT_EQ(boxes(arguments), "[0,0][1,1]|[0,1][1,4]|[1,0][1,4]|[1,4][1,1]");
  arguments.mesh = "2,2";
  arguments.placements = "S(0),R";
  EXPECT_EQ(boxes(arguments), "[0,0][1,5]|[0,0][1,5]|[1,0][1,5]|[1,0][1,5]");
  arguments.placements = "S(1),R";
  EXPECT_THAT(boxes(arguments), HasSubstr("flattened first"));
  arguments.placements = "P,R";
  EXPECT_THAT(boxes(arguments), HasSubstr("partial placement"));
  arguments = typed("flat", "", "2");
  EXPECT_EQ(boxes(arguments), "[][]|");
  arguments.flat_before = "9223372036854775807";
  EXPECT_THAT(boxes(arguments), HasSubstr("2^63"));
}

TEST(ChunksTypes, Ragged) {
  ChunksArguments arguments = typed("ragged", "4,6", "4");
  arguments.units = "3,1,0,4";
  EXPECT_EQ(boxes(arguments), "[0,0][1,6] [1,0][1,3]|[1,3][1,3]|[4,0][0,6]|[2,0][2,6]");
  arguments.units = "3,1";
  EXPECT_THAT(boxes(arguments), HasSubstr("found 2 numbers"));
  arguments.units = "0,0,0,0";
  EXPECT_THAT(boxes(arguments), HasSubstr("not all 0"));
  arguments.units.clear();
  EXPECT_EQ(boxes(arguments), "[0,0][1,6]|[1,0][1,6]|[2,0][1,6]|[3,0][1,6]");
}

TEST(ChunksTypes, BlockCyclic) {
  ChunksArguments arguments = typed("block-cyclic", "5,4", "2,2");
  arguments.blocks = "2,2";
  EXPECT_EQ(boxes(arguments), "[0,0][2,2] [4,0][1,2]|[0,2][2,2] [4,2][1,2]|[2,0][2,2]|[2,2][2,2]");
  arguments.source = "1,0";
  EXPECT_EQ(boxes(arguments), "[2,0][2,2]|[2,2][2,2]|[0,0][2,2] [4,0][1,2]|[0,2][2,2] [4,2][1,2]");
  arguments.source = "2,0";
  EXPECT_THAT(boxes(arguments), HasSubstr("source process 2"));
  arguments.source.clear();
  arguments.blocks = "0,2";
  EXPECT_THAT(boxes(arguments), HasSubstr("block sizes"));
  arguments.blocks.clear();
  EXPECT_EQ(boxes(arguments), "[0,0][3,2]|[0,2][3,2]|[3,0][2,2]|[3,2][2,2]");
  arguments.placements = "S(0),S(0)";
  EXPECT_THAT(boxes(arguments), HasSubstr("once for each dimension"));
  arguments = typed("block-cyclic", "4000000,4000000", "2,2");
  EXPECT_THAT(boxes(arguments), HasSubstr("more than 4194304 boxes"));
}

TEST(ChunksTypes, OptionsOfOtherTypes) {
  ChunksArguments arguments = typed("flat", "4", "2");
  arguments.units = "1,1";
  EXPECT_THAT(boxes(arguments), HasSubstr("--units goes with --type ragged, found --type flat"));
}

}  // namespace
}  // namespace shardmark::bench
