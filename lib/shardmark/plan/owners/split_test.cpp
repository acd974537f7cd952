// SPDX-License-Identifier: Apache-2.0
// Pieces of replicated chunks: a tiling, of the size that was promised, and as even as promised.
#include "shardmark/plan/owners/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "shardmark/core/cover.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;

/// Largest piece over an even share among `num_holders`.
double unevenness(const Box& chunk, const std::vector<Box>& pieces, std::int64_t num_holders) {
  std::int64_t largest = 0;
  for (const Box& piece : pieces) {
    largest = std::max(largest, piece.num_elements());
  }
  return static_cast<double>(largest) * static_cast<double>(num_holders) /
         static_cast<double>(chunk.num_elements());
}

TEST(Split, PiecesTileTheChunkAndAreNeverTooSmall) {
  RandomSource random;
  for (int round = 0; round < 300; ++round) {
    const int ndim = 1 + static_cast<int>(random.number(4));
    Box chunk{random.sizes(ndim, 0, 50), Dims::filled(ndim, 1)};
    for (std::int64_t elements = 1 + random.number(3'000'000); elements > 1;) {
      const std::int64_t factor = 1 + random.number(std::min<std::int64_t>(elements, 3000));
      chunk.sizes[static_cast<int>(random.number(ndim))] *= factor;
      elements /= factor + 1;
    }
    const std::int64_t itemsize = std::int64_t{1} << random.number(4);
    const std::int64_t holders = 1 + random.number(70);
    std::vector<Box> pieces = cut_over_holders(chunk, itemsize, holders);
    ASSERT_GE(pieces.size(), 1U);
    ASSERT_LE(pieces.size(), static_cast<std::size_t>(holders));
    ASSERT_TRUE(std::is_sorted(pieces.begin(), pieces.end()));
    for (Box& piece : pieces) {
      if (pieces.size() > 1) {
        ASSERT_GE(piece.num_elements() * itemsize, min_split_bytes) << to_string(chunk);
      }
      for (int d = 0; d < ndim; ++d) {
        piece.offsets[d] -= chunk.offsets[d];
      }
    }
    ASSERT_FALSE(find_cover_defect(chunk.sizes, pieces)) << to_string(chunk);
  }
}

TEST(Split, CutsRowsFirstAndFurtherDimensionsWhereRowsDoNotComeOutEven) {
  const Box even = whole_box({4096, 1024});
  const auto rows = cut_over_holders(even, 4, 16);  // 1 MiB each
  ASSERT_EQ(rows.size(), 16U);
  EXPECT_EQ(rows[3], (Box{{768, 0}, {256, 1024}}));
  // 10,000 rows over 64: 16 parts by rows, 4 by columns.
  const auto grid = cut_over_holders(whole_box({10'000, 10'000}), 8, 64);
  ASSERT_EQ(grid.size(), 64U);
  EXPECT_EQ(grid[1], (Box{{0, 2500}, {625, 2500}}));
  // Two rows over eight holders.
  EXPECT_EQ(cut_over_holders(whole_box({2, 4 << 20}), 4, 8).size(), 8U);
}

TEST(Split, SmallChunksStayWhole) {
  const Box chunk = whole_box({2, 1 << 20});
  EXPECT_EQ(cut_over_holders(chunk, 1, 64).size(), 2U);
  EXPECT_EQ(cut_over_holders(whole_box({(2 << 20) - 1}), 1, 64),
            std::vector<Box>{whole_box({(2 << 20) - 1})});
  EXPECT_EQ(cut_over_holders(whole_box({}), 8, 64).size(), 1U);
  EXPECT_EQ(cut_over_holders(whole_box({1 << 30}), 8, 1).size(), 1U);
}

TEST(Split, ShareOfEachHolderIsEvenForShapesOfModels) {
  for (const Dims& sizes : {Dims{128256, 4096}, Dims{14336, 4096}, Dims{4096, 14336},
                            Dims{32000, 4096}, Dims{50304, 12288}, Dims{5120, 5120}, Dims{1 << 28},
                            Dims{8, 14336, 4096}, Dims{100'000'000}}) {
    const Box chunk = whole_box(sizes);
    EXPECT_LT(unevenness(chunk, cut_over_holders(chunk, 2, 32), 32), 1.001) << to_string(sizes);
  }
}

}  // namespace
}  // namespace shardmark
