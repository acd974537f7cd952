// SPDX-License-Identifier: Apache-2.0
// Runs and cells of a dimension against the shard rule, cell by cell.
#include "shardmark/plan/tables/cut_dimension.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "shardmark/core/dims.hpp"
#include "shardmark/protocol/shard_rule.hpp"

namespace shardmark {
namespace {

void expect_as_the_rule_says(std::int64_t extent, const std::vector<CutDimension::Cut>& cuts) {
  const auto dimension = CutDimension::make(extent, cuts);
  ASSERT_TRUE(dimension);
  std::vector<std::int64_t> mesh;
  std::vector<Placement> placements;
  for (const CutDimension::Cut& cut : cuts) {
    mesh.push_back(cut.parts);
    placements.push_back(cut.placement);
  }
  const Dims mesh_shape = *Dims::from(mesh);
  std::vector<int> held(static_cast<std::size_t>(extent));
  std::uint64_t runs = 0;
  for (std::int64_t number = 0; number < volume(mesh_shape); ++number) {
    Dims cell = mesh_shape;
    std::int64_t rest = number;
    for (int d = cell.ndim() - 1; d >= 0; --d) {
      cell[d] = rest % mesh_shape[d];
      rest /= mesh_shape[d];
    }
    std::vector<Box> expected;
    for (const LocalBox& part :
         compute_local_shard({extent}, mesh_shape, cell, placements).value().boxes) {
      if (!part.box.empty()) {
        expected.push_back(part.box);
      }
    }
    std::vector<Box> found;
    const std::vector<std::int64_t> coordinates(cell.begin(), cell.end());
    dimension->for_each_run_of(coordinates, [&](std::uint64_t ordinal, CutDimension::Run run) {
      found.push_back({{run.start}, {run.length}});
      std::vector<std::int64_t> back(coordinates.size());
      dimension->cell_of(ordinal, back);
      EXPECT_EQ(back, coordinates);
      EXPECT_EQ(dimension->run(ordinal).start, run.start);
      for (std::int64_t i = run.start; i < run.start + run.length; ++i) {
        EXPECT_EQ(dimension->run_at(i), ordinal);
        ++held[static_cast<std::size_t>(i)];
      }
      ++runs;
    });
    EXPECT_EQ(found, expected) << "cell " << to_string(cell);
  }
  EXPECT_EQ(runs, dimension->num_runs());
  EXPECT_EQ(held, std::vector<int>(static_cast<std::size_t>(extent), 1));
}

TEST(CutDimension, IsWhatTheShardRuleGivesEachCell) {
  for (const std::int64_t extent : {1, 2, 7, 12, 29}) {
    SCOPED_TRACE(extent);
    expect_as_the_rule_says(extent, {{4, Placement::shard(0)}});
    expect_as_the_rule_says(extent, {{2, Placement::shard(0)}, {3, Placement::shard(0)}});
    expect_as_the_rule_says(extent, {{3, Placement::strided_shard(0, 2)}});
    expect_as_the_rule_says(extent,
                            {{2, Placement::strided_shard(0, 4)}, {4, Placement::shard(0)}});
    expect_as_the_rule_says(extent,
                            {{3, Placement::strided_shard(0, 5)}, {2, Placement::shard(0)}});
  }
}

}  // namespace
}  // namespace shardmark
