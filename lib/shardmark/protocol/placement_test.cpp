// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/placement.hpp"

#include <gtest/gtest.h>

#include "shardmark/protocol/tensor_layout.hpp"

namespace shardmark {
namespace {

TEST(Placement, ParsesAndPrints) {
  const auto parsed = parse_placements(" S(0), R ,SS( -1 , 4 ),P");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed,
            (std::vector<Placement>{Placement::shard(0), Placement::replicate(),
                                    Placement::strided_shard(-1, 4), Placement::partial()}));
  std::string text;
  for (const Placement& p : *parsed) {
    text += to_string(p) + ";";
  }
  EXPECT_EQ(text, "S(0);R;SS(-1,4);P;");
  EXPECT_TRUE(parse_placements("")->empty());
}

TEST(Placement, RefusesAndNamesThePart) {
  for (const char* text : {"S(0),Q", "S", "S()", "S(x)", "SS(0)", "SS(0,0)", "SS(0,-2)", "s(0)",
                           "S(0", "S(0),,R", "R,", "S(99999999999)", "S(0)R", "SS(0,1,2)"}) {
    const auto parsed = parse_placements(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_NE(parse_placements("S(0),Q").error().message.find("'Q'"), std::string::npos);
}

TEST(TensorLayout, ChecksButAcceptsPartial) {
  const DeviceMesh mesh = DeviceMesh::row_major({2, 2}).value();
  const std::vector<Placement> good = {Placement::shard(1), Placement::replicate()};
  const std::vector<Placement> partial = {Placement::partial(), Placement::shard(-2)};
  const std::vector<Placement> outside = {Placement::partial(), Placement::shard(2)};
  const auto layout = make_tensor_layout({3, 4}, Dtype::int16, mesh, good);
  ASSERT_TRUE(layout);
  EXPECT_TRUE(std::equal(good.begin(), good.end(), layout->placements().begin(),
                         layout->placements().end()));
  EXPECT_TRUE(make_tensor_layout({3, 4}, Dtype::int16, mesh, partial));
  EXPECT_FALSE(make_tensor_layout({3, 4}, Dtype::int16, mesh, outside));
  EXPECT_FALSE(make_tensor_layout({3, 4}, Dtype::int16, mesh, {good.data(), 1}));
  EXPECT_FALSE(make_tensor_layout({3, -4}, Dtype::int16, mesh, good));
  const std::vector<Placement> many(9, Placement::replicate());
  EXPECT_FALSE(make_tensor_layout({3}, Dtype::int16, mesh, many));
  EXPECT_FALSE(*layout == *make_tensor_layout({3, 4}, Dtype::uint8, mesh, good));
  EXPECT_FALSE(*layout == *make_tensor_layout({3, 4}, Dtype::int16, mesh, partial));
}

}  // namespace
}  // namespace shardmark
