// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/arrivals.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;

constexpr std::int64_t block = 4096;

/// One file of two regions; rank 1 writes the second, rank 0 all else.
struct ArrivalsScene {
  std::vector<ExchangedFile> files = {make_exchanged_file(
      0, 16 * block, 0, {{100, 10 * block}, {12 * block + 5, 16 * block}}, {{0, 100}}, block)};
  std::vector<Region> regions = cut_into_regions(files, 8 * block, 2);
  std::vector<std::byte> region = std::vector<std::byte>(8 * block, std::byte{7});

  Arrivals of_rank(int rank) const { return Arrivals({files, regions, rank, 8 * block, block, 2}); }
};

TEST(Arrivals, AreCompleteOnceEveryElementIsKnown) {
  const ArrivalsScene scene;
  Arrivals arrivals = scene.of_rank(1);
  ASSERT_TRUE(arrivals.begin());
  EXPECT_EQ(arrivals.open_for(5), std::vector<std::size_t>{1});
  // Blocks 8 and 9 and all from block 13 on are others' own; of block 12 what is no gap comes.
  ASSERT_TRUE(arrivals.add({1, 5 * block, {}}, scene.region.data()));
  EXPECT_TRUE(arrivals.take_complete().empty());
  const auto message = encode(RegionPieces{1, 0, {{12 * block + 5, 13 * block}}}, scene.regions[1],
                              scene.region.data());
  ASSERT_TRUE(arrivals.add(message));
  const auto complete = arrivals.take_complete();
  ASSERT_EQ(complete.size(), 1U);
  // With the two empty blocks, and the gap's part of block 12, as zeros.
  EXPECT_EQ(complete[0].blocks, (std::vector<ByteRange>{{10 * block, 13 * block}}));
  const std::byte* const bytes = complete[0].bytes;
  EXPECT_EQ(std::count(bytes + 2 * block, bytes + 4 * block + 5, std::byte{0}), 2 * block + 5);
  EXPECT_EQ(std::count(bytes + 4 * block + 5, bytes + 5 * block, std::byte{7}), block - 5);
  EXPECT_TRUE(arrivals.all_complete());
}

TEST(Arrivals, TheKeepersBlocksAreApart) {
  const ArrivalsScene scene;
  Arrivals arrivals = scene.of_rank(0);
  ASSERT_TRUE(arrivals.begin());
  ASSERT_TRUE(arrivals.add({0, 7 * block, {{100, block}}}, scene.region.data()));
  const auto complete = arrivals.take_complete();
  ASSERT_EQ(complete.size(), 1U);
  EXPECT_TRUE(complete[0].blocks.empty());
  EXPECT_EQ(complete[0].kept, (std::vector<ByteRange>{{100, block}}));
}

TEST(Arrivals, ARegionWithoutElementsIsCompleteOnce) {
  ArrivalsScene scene;
  scene.files = {
      make_exchanged_file(0, 16 * block, 1, {{0, 10}, {15 * block, 16 * block}}, {}, block)};
  scene.regions = cut_into_regions(scene.files, 4 * block, 1);
  Arrivals arrivals = scene.of_rank(0);
  ASSERT_TRUE(arrivals.begin());
  EXPECT_EQ(arrivals.take_complete().size(), 2U);
  ASSERT_TRUE(arrivals.add({0, 10, {}}, scene.region.data()));
  ASSERT_TRUE(arrivals.add({3, block, {}}, scene.region.data()));
  EXPECT_TRUE(arrivals.all_complete());
}

TEST(Arrivals, RefuseABlockThatComesInPart) {
  const ArrivalsScene scene;
  Arrivals arrivals = scene.of_rank(1);
  ASSERT_TRUE(arrivals.begin());
  const Status status =
      arrivals.add({1, 6 * block - 5 - 10, {{8 * block, 8 * block + 10}}}, scene.region.data());
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("only in part"), std::string::npos);
}

// Nothing is written outside of the region's memory, whatever a message says (run under asan).
TEST(Arrivals, RefuseMessagesThatLie) {
  RandomSource random;
  const ArrivalsScene scene;
  const auto good =
      encode(RegionPieces{1, 3, {{8 * block, 8 * block + 700}, {9 * block, 9 * block + 9}}},
             scene.regions[1], scene.region.data());
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::byte> bad = good;
    for (std::int64_t flips = 1 + random.number(4); flips > 0; --flips) {
      bad[random.index(std::min<std::size_t>(bad.size(), 24))] ^=
          static_cast<std::byte>(1 + random.number(255));
    }
    if (random.one_in(3)) {
      bad.resize(random.index(bad.size()));
    }
    Arrivals arrivals = scene.of_rank(1);
    ASSERT_TRUE(arrivals.begin());
    refused += arrivals.add(bad) ? 0 : 1;
  }
  EXPECT_GT(refused, 2500);
}

}  // namespace
}  // namespace shardmark
