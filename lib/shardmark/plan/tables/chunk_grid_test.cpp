// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/layout_test_fixture.hpp"
#include "shardmark/protocol/shard_rule.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

/// All that a layout implies, rank by rank from the shard rule: chunk -> holders, ascending.
std::map<Box, std::vector<std::int64_t>> brute_force(const TensorLayout& layout,
                                                     std::int64_t world_size) {
  std::map<Box, std::vector<std::int64_t>> holders;
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    const auto at = layout.mesh.coordinate(rank);
    if (!at) {
      continue;
    }
    const auto shard =
        compute_local_shard(layout.global_sizes, layout.mesh.shape(), *at, layout.placements());
    for (const LocalBox& part : shard->boxes) {
      if (!part.box.empty()) {
        holders[part.box].push_back(rank);
      }
    }
  }
  return holders;
}

void expect_as_brute_force(const ChunkGrid& grid, std::int64_t world_size) {
  const TensorLayout& layout = grid.layout();
  std::string placements;
  for (const Placement& placement : layout.placements()) {
    placements += to_string(placement) + " ";
  }
  SCOPED_TRACE(to_string(layout.global_sizes) + " on " + to_string(layout.mesh.shape()) + " with " +
               placements);
  const auto expected = brute_force(layout, world_size);
  ASSERT_EQ(grid.num_chunks(), expected.size());
  std::uint64_t ordinal = 0;
  for (const auto& [box, ranks] : expected) {
    EXPECT_EQ(grid.box(ordinal), box);
    ASSERT_EQ(grid.holders().size(), static_cast<std::int64_t>(ranks.size()));
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      EXPECT_EQ(grid.holders().rank(grid.base_of(ordinal), static_cast<std::int64_t>(i)), ranks[i]);
    }
    ++ordinal;
  }
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    std::set<Box> mine;
    for (const auto& [box, ranks] : expected) {
      if (std::find(ranks.begin(), ranks.end(), rank) != ranks.end()) {
        mine.insert(box);
      }
    }
    const auto place = grid.place_of(rank);
    if (!place) {
      EXPECT_TRUE(mine.empty());
      continue;
    }
    EXPECT_EQ(grid.holders().rank(place->base, place->replica), rank);
    std::set<Box> found;
    grid.for_each_chunk_at(place->coordinate, [&](std::uint64_t at, const Box& box) {
      EXPECT_EQ(grid.box(at), box);
      EXPECT_EQ(grid.base_of(at), place->base);
      found.insert(box);
    });
    EXPECT_EQ(found, mine);
  }
}

TEST(ChunkGrid, IsWhatTheRanksHold) {
  testing::RandomSource random;
  for (int round = 0; round < 400; ++round) {
    const TensorLayout layout = testing::random_layout(random);
    const auto grid = ChunkGrid::make(layout);
    ASSERT_NE(grid, nullptr);
    std::int64_t world_size = layout.mesh.first_rank() + 2;
    for (int m = 0; m < layout.mesh.ndim(); ++m) {
      world_size += layout.mesh.shape()[m] * layout.mesh.strides()[m];
    }
    expect_as_brute_force(*grid, world_size);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(ChunkGrid, FindsEveryOverlap) {
  testing::RandomSource random;
  for (int round = 0; round < 400; ++round) {
    const auto grid = ChunkGrid::make(testing::random_layout(random));
    const Dims sizes = grid->layout().global_sizes;
    Box wanted = whole_box(sizes);
    for (int d = 0; d < sizes.ndim(); ++d) {
      wanted.offsets[d] = random.number(sizes[d] + 1);
      wanted.sizes[d] = random.number(sizes[d] - wanted.offsets[d] + 1);
    }
    std::vector<std::pair<std::uint64_t, Box>> expected;
    for (std::uint64_t i = 0; i < grid->num_chunks(); ++i) {
      const auto common = intersect(wanted, grid->box(i));
      if (common && !wanted.empty()) {
        expected.emplace_back(i, *common);
      }
    }
    std::vector<std::pair<std::uint64_t, Box>> found;
    grid->for_each_overlap(wanted, [&](std::uint64_t i, const Box& stored, const Box& common) {
      EXPECT_EQ(stored, grid->box(i));
      found.emplace_back(i, common);
    });
    EXPECT_EQ(found, expected);
  }
}

TEST(ChunkGrid, CostsNothingPerRank) {
  // A million ranks, two nested cuts and a stride that divides evenly: no table is made.
  const DeviceMesh mesh = *DeviceMesh::row_major({1 << 17, 8});
  const std::vector<Placement> placements = {Placement::strided_shard(0, 8), Placement::shard(0)};
  const TensorLayout layout =
      *make_tensor_layout({std::int64_t{1} << 40, 3}, Dtype::uint8, mesh, placements);
  const auto grid = ChunkGrid::make(layout);
  ASSERT_NE(grid, nullptr);
  EXPECT_EQ(grid->num_chunks(), 1U << 20);
  const auto place = grid->place_of(12345);
  const auto shard =
      compute_local_shard(layout.global_sizes, mesh.shape(), *mesh.coordinate(12345), placements);
  grid->for_each_chunk_at(place->coordinate, [&](std::uint64_t, const Box& box) {
    EXPECT_EQ(box, shard->boxes.front().box);
  });
}

TEST(ChunkGrid, RefusesPartialAndHugeTables) {
  const DeviceMesh mesh = *DeviceMesh::row_major({1 << 20, 8});
  const std::vector<Placement> odd = {Placement::strided_shard(0, 7), Placement::shard(0)};
  EXPECT_EQ(ChunkGrid::make(*make_tensor_layout({std::int64_t{1} << 40}, Dtype::uint8, mesh, odd)),
            nullptr);
  const std::vector<Placement> partial = {Placement::partial(), Placement::shard(0)};
  EXPECT_EQ(ChunkGrid::make(*make_tensor_layout({64}, Dtype::uint8, mesh, partial)), nullptr);
}

TEST(GridCache, SharesEqualLayoutsOnly) {
  GridCache cache;
  const DeviceMesh mesh = *DeviceMesh::row_major({4});
  const std::vector<Placement> rows = {Placement::shard(0)};
  const std::vector<Placement> whole = {Placement::replicate()};
  const auto a = cache.get(*make_tensor_layout({8}, Dtype::float32, mesh, rows));
  EXPECT_EQ(a, cache.get(*make_tensor_layout({8}, Dtype::bfloat16, mesh, rows)));
  EXPECT_NE(a, cache.get(*make_tensor_layout({9}, Dtype::float32, mesh, rows)));
  EXPECT_NE(a, cache.get(*make_tensor_layout({8}, Dtype::float32, mesh, whole)));
  EXPECT_EQ(a, cache.get(*make_tensor_layout({8}, Dtype::float32, mesh, rows)));
}

}  // namespace
}  // namespace shardmark
