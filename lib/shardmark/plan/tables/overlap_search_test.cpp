// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <set>
#include <utility>

#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/plan/tables/overlap_search.hpp"
#include "shardmark/testing/edge_cases/saved_boxes.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::Saved;

TEST(LoadPlan, OverlapSearchAgreesWithLookingAtAll) {
  RandomSource random;
  for (int round = 0; round < 2'000; ++round) {
    const Dims sizes = random.sizes(static_cast<int>(random.number(5)), 1, 12);
    Saved saved;
    saved.add("other", Dtype::int8, {2}, {whole_box({2})});
    saved.add("w", Dtype::int8, sizes, random.tiling(sizes, 5));
    const Entry& entry = saved.entries.entries.back();
    const OverlapSearch search(saved.chunks, entry);
    const auto tiles = random.tiling(sizes, 4);
    const Box box = tiles[random.index(tiles.size())];
    std::set<std::pair<std::uint64_t, Box>> found;
    search.for_each_overlap(box, [&](std::uint64_t chunk, const Box& stored, const Box& common) {
      EXPECT_EQ(stored, saved.chunks.box(chunk, entry.sizes.ndim()));
      EXPECT_TRUE(found.emplace(chunk, common).second);
    });
    std::set<std::pair<std::uint64_t, Box>> expected;
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      if (const auto common = intersect(saved.chunks.box(c, entry.sizes.ndim()), box)) {
        expected.emplace(c, *common);
      }
    }
    ASSERT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace shardmark
