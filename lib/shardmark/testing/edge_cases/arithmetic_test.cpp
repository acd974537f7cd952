// SPDX-License-Identifier: Apache-2.0
// Edge cases 1 to 17: shard arithmetic, as the hooks of a DTensor give it. Figures by hand.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <limits>

#include "shardmark/tensor/dtensor.hpp"

namespace shardmark {
namespace {

Result<TensorLayout> layout_of(const Dims& sizes, const Dims& mesh, std::string_view placements) {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh grid, DeviceMesh::row_major(mesh));
  SHARDMARK_ASSIGN_OR_RETURN(const auto parsed, parse_placements(placements));
  return make_tensor_layout(sizes, Dtype::uint8, grid, parsed);
}

DTensor tensor_of(const TensorLayout& layout, std::int64_t rank) {
  const Dims local = DTensor::local_sizes(layout, rank).value();
  return DTensor::from_local(contiguous_view<std::byte>(nullptr, Dtype::uint8, local), layout, rank)
      .value();
}

/// "2x3@0,4" for each box, boxes of a rank with '+' between, ranks with blanks.
std::string boxes(const Dims& sizes, const Dims& mesh, std::string_view placements) {
  const auto layout = layout_of(sizes, mesh, placements);
  if (!layout) {
    return layout.error().message;
  }
  std::string text;
  for (std::int64_t rank = 0; rank < layout->mesh.size(); ++rank) {
    const auto chunks = tensor_of(*layout, rank).create_chunk_list().value();
    text += rank == 0 ? "" : " ";
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      text += fmt::format("{}{}@{}", i == 0 ? "" : "+", fmt::join(chunks[i].sizes, "x"),
                          fmt::join(chunks[i].offsets, ","));
    }
  }
  return text;
}

/// How often all ranks together hold each element.
std::vector<int> holders(const Dims& sizes, const Dims& mesh, std::string_view placements) {
  const TensorLayout layout = layout_of(sizes, mesh, placements).value();
  std::vector<int> count(static_cast<std::size_t>(volume(sizes)), 0);
  for (std::int64_t rank = 0; rank < layout.mesh.size(); ++rank) {
    for (const Box& box : tensor_of(layout, rank).create_chunk_list().value()) {
      for_each_run(box, sizes, [&](std::int64_t at, std::int64_t run) {
        for (std::int64_t i = 0; i < run; ++i) {
          ++count[static_cast<std::size_t>(at + i)];
        }
      });
    }
  }
  return count;
}

std::vector<int> everywhere(std::int64_t elements, int times) {
  return std::vector<int>(static_cast<std::size_t>(elements), times);
}

TEST(EdgeCase, N01_ScalarsAreReplicatedOnOneToThreeMeshDims) {
  EXPECT_EQ(boxes({}, {2}, "R"), "@ @");
  EXPECT_EQ(boxes({}, {2, 1}, "R,R"), "@ @");
  EXPECT_EQ(boxes({}, {1, 2, 1}, "R,R,R"), "@ @");
  EXPECT_EQ(holders({}, {2, 2, 2}, "R,R,R"), everywhere(1, 8));
}

TEST(EdgeCase, N02_OneElementOverMoreRanks) {
  EXPECT_EQ(boxes({1}, {4}, "S(0)"), "1@0 0@1 0@1 0@1");
}

TEST(EdgeCase, N03_DimensionOfSizeZero) {
  EXPECT_EQ(boxes({0, 3}, {2}, "S(0)"), "0x3@0,0 0x3@0,0");
  EXPECT_EQ(boxes({0, 3}, {2}, "S(1)"), "0x2@0,0 0x1@0,2");
  EXPECT_EQ(boxes({0, 3}, {2}, "R"), "0x3@0,0 0x3@0,0");
}

TEST(EdgeCase, N04_NonDivisibleShortLastAndEmptyTails) {
  EXPECT_EQ(boxes({10}, {4}, "S(0)"), "3@0 3@3 3@6 1@9");
  EXPECT_EQ(boxes({5}, {4}, "S(0)"), "2@0 2@2 1@4 0@5");
  EXPECT_EQ(boxes({9}, {8}, "S(0)"), "2@0 2@2 2@4 2@6 1@8 0@9 0@9 0@9");
}

TEST(EdgeCase, N05_EmptyOffsetIsTheExtentOnEveryLaterLevel) {
  EXPECT_EQ(boxes({13, 2}, {4, 2}, "S(0),S(0)"),
            "2x2@0,0 2x2@2,0 2x2@4,0 2x2@6,0 2x2@8,0 2x2@10,0 1x2@12,0 0x2@13,0");
  EXPECT_EQ(boxes({1}, {2, 2}, "S(0),S(0)"), "1@0 0@1 0@1 0@1");
}

TEST(EdgeCase, N06_NestedShardsUnevenAtEachLevel) {
  EXPECT_EQ(boxes({18}, {4, 2}, "S(0),S(0)"), "3@0 2@3 3@5 2@8 3@10 2@13 2@15 1@17");
  EXPECT_EQ(boxes({10}, {2, 2, 2}, "S(0),S(0),S(0)"), "2@0 1@2 1@3 1@4 2@5 1@7 1@8 1@9");
}

TEST(EdgeCase, N07_SameDimAtMeshDims0And2) {
  EXPECT_EQ(boxes({7, 4}, {2, 2, 2}, "S(0),S(1),S(0)"),
            "2x2@0,0 2x2@2,0 2x2@0,2 2x2@2,2 2x2@4,0 1x2@6,0 2x2@4,2 1x2@6,2");
}

TEST(EdgeCase, N08_ReplicateInEveryPosition) {
  EXPECT_EQ(boxes({4}, {2, 2}, "R,S(0)"), "2@0 2@2 2@0 2@2");
  EXPECT_EQ(boxes({4}, {2, 2}, "S(0),R"), "2@0 2@0 2@2 2@2");
  EXPECT_EQ(holders({5}, {2, 2, 2}, "S(0),R,S(0)"), everywhere(5, 2));
  EXPECT_EQ(holders({5}, {2, 2, 2}, "R,R,R"), everywhere(5, 8));
}

TEST(EdgeCase, N09_MeshDimsOfSizeOne) {
  EXPECT_EQ(boxes({5}, {1, 2, 1}, "S(0),S(0),S(0)"), "3@0 2@3");
  EXPECT_EQ(boxes({5}, {1}, "S(0)"), "5@0");
  EXPECT_EQ(boxes({5}, {1, 2}, "SS(0,2),S(0)"), "3@0 2@3");
}

TEST(EdgeCase, N10_Fsdp2WithTensorParallelism) {
  // Rows of (dp, tp): even; divisible by tp alone; by neither.
  EXPECT_EQ(boxes({8}, {2, 2}, "SS(0,2),S(0)"), "2@0 2@4 2@2 2@6");
  EXPECT_EQ(boxes({18}, {4, 2}, "SS(0,2),S(0)"), "3@0 3@9 3@3 3@12 3@6 3@15 0@18 0@18");
  EXPECT_EQ(holders({7}, {3, 2}, "SS(0,2),S(0)"), everywhere(7, 1));
  for (std::int64_t extent = 1; extent < 24; ++extent) {
    EXPECT_EQ(holders({extent}, {4, 3}, "SS(0,3),S(0)"), everywhere(extent, 1)) << extent;
  }
}

TEST(EdgeCase, N11_StridedFactorOneHugeAndUnlikeTheMesh) {
  EXPECT_EQ(boxes({5}, {2}, "SS(0,1)"), boxes({5}, {2}, "S(0)"));
  EXPECT_EQ(boxes({3}, {2}, "SS(0,7)"), "3@0 0@3");
  EXPECT_EQ(boxes({12}, {2}, "SS(0,3)"), "2@0+2@4+2@8 2@2+2@6+2@10");
}

TEST(EdgeCase, N12_SeveralRunsBecomeSeveralBoxes) {
  EXPECT_EQ(boxes({9}, {4}, "SS(0,2)"), "2@0+1@5 2@2+1@6 1@4+1@7 1@8");
  EXPECT_EQ(boxes({4, 4}, {2, 2}, "SS(0,2),SS(1,2)"),
            "1x1@0,0+1x1@0,2+1x1@2,0+1x1@2,2 1x1@0,1+1x1@0,3+1x1@2,1+1x1@2,3 "
            "1x1@1,0+1x1@1,2+1x1@3,0+1x1@3,2 1x1@1,1+1x1@1,3+1x1@3,1+1x1@3,3");
}

TEST(EdgeCase, N13_ShardDimOutOfRange) {
  for (const char* placement : {"S(1)", "S(-2)", "SS(1,2)"}) {
    EXPECT_EQ(layout_of({4}, {2}, placement).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_FALSE(layout_of({}, {2}, "S(0)"));
  EXPECT_EQ(boxes({4}, {2}, "S(-1)"), "2@0 2@2") << "negative dims count from the end";
}

TEST(EdgeCase, N14_PartialIsRefusedInAllHooks) {
  const TensorLayout layout = layout_of({4}, {2}, "P").value();
  DTensor tensor = tensor_of(layout, 0);
  EXPECT_EQ(tensor.create_write_items("w").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(tensor.create_chunk_list().error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(tensor.get_tensor_shard({"w", Dims{0}, 0}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(std::as_const(tensor).get_tensor_shard({"w", Dims{0}, 0}).error().code,
            ErrorCode::invalid_argument);
}

TEST(EdgeCase, N15_RankOutsideASubMeshHasNoItems) {
  const DeviceMesh stage = DeviceMesh::strided({2}, {1}, 2).value();  // ranks 2 and 3 of 4
  const std::array placements = {Placement::shard(0)};
  const TensorLayout layout = make_tensor_layout({4}, Dtype::uint8, stage, placements).value();
  for (const std::int64_t rank : {0, 1, 2, 3}) {
    const DTensor tensor = tensor_of(layout, rank);
    const std::size_t expected = rank < 2 ? 0 : 1;
    EXPECT_EQ(tensor.create_write_items("w")->size(), expected);
    EXPECT_EQ(tensor.create_chunk_list()->size(), expected);
  }
}

TEST(EdgeCase, N16_HugeExtents) {
  const std::int64_t two_31 = std::int64_t{1} << 31;
  const std::int64_t two_40 = std::int64_t{1} << 40;
  EXPECT_EQ(boxes({two_31 + 1}, {2}, "S(0)"), "1073741825@0 1073741824@1073741825");
  EXPECT_EQ(boxes({two_40 - 1, 2}, {2}, "S(0)"),
            "549755813888x2@0,0 549755813887x2@549755813888,0");
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(boxes({most}, {2}, "S(0)"),
            "4611686018427387904@0 4611686018427387903@4611686018427387904");
  EXPECT_FALSE(layout_of({two_40, two_40}, {2}, "S(0)")) << "2^80 elements";
  EXPECT_FALSE(checked_volume({two_31, two_31, 2}));
}

TEST(EdgeCase, N17_FiveToEightDimensionsAndNoMore) {
  EXPECT_EQ(boxes({2, 1, 3, 1, 2}, {2}, "S(2)"), "2x1x2x1x2@0,0,0,0,0 2x1x1x1x2@0,0,2,0,0");
  EXPECT_EQ(holders({2, 1, 3, 1, 2, 1, 2, 3}, {2, 2}, "S(7),S(2)"), everywhere(72, 1));
  const std::vector<std::int64_t> nine(9, 1);
  const auto refused = Dims::from(nine);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find('8'), std::string::npos);
}

}  // namespace
}  // namespace shardmark
