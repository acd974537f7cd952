// SPDX-License-Identifier: Apache-2.0
// Ranks as threads read boxes together, disjoint or not, against memcpy out of an image of the
// files.
#include "shardmark/storage/exchange/region_reader.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "shardmark/storage/exchange/read_test_fixture.hpp"

namespace shardmark {
namespace {

class RegionReaderOf : public ::testing::TestWithParam<std::tuple<int, bool>> {};

TEST_P(RegionReaderOf, RanksAsThreads) {
  const auto [num_ranks, o_direct] = GetParam();
  RandomSource random;
  for (int round = 0; round < 4; ++round) {
    ReadScene scene(num_ranks);
    for (std::int64_t files = 1 + random.number(3); files > 0; --files) {
      scene.add_file(random);
    }
    for (int i = 0; i < 6; ++i) {
      scene.wish(random, false);
    }
    scene.read(random, o_direct, random.number(9000));
    scene.compare();
    // Whatever is wanted in full has been hashed by somebody, whoever wanted it.
    EXPECT_GE(scene.num_hashed(), scene.complete_pieces);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, RegionReaderOf,
                         ::testing::Combine(::testing::Values(1, 2, 3, 5), ::testing::Bool()));

TEST(RegionReader, ReadsWhatAllWantOnce) {
  RandomSource random;
  ReadScene scene(4);
  scene.add_file(random);
  const auto room = static_cast<std::int64_t>(scene.images[0].size()) / int32_bytes;
  const StoredPiece piece{0, 0, {0}, {room}};
  for (RankWishes& rank : scene.wishes) {
    rank.memory.emplace_back(static_cast<std::size_t>(int32_bytes * room));
    rank.transfers.push_back({piece, whole_box({room}),
                              contiguous_view(rank.memory.back().data(), Dtype::int32, {room})});
    rank.hashed.push_back(0);
  }
  scene.read(random, false, 0);
  scene.compare();
  EXPECT_LE(scene.sum_of(&ReadCounters::bytes_read), int32_bytes * room + 4095);
  EXPECT_LE(scene.sum_of(&ReadCounters::read_requests), int32_bytes * room / read_slot_bytes + 1);
}

TEST(RegionReader, BoxesOfOneRankThatOverlapAreRefused) {
  RandomSource random;
  ReadScene scene(2);
  scene.add_file(random);
  scene.images[0].resize(300'000);
  std::ofstream(scene.paths[0], std::ios::binary) << std::string(300'000, 'x');
  const StoredPiece piece{0, 0, {0}, {75'000}};
  RankWishes& rank = scene.wishes[0];
  for (const std::int64_t begin : {0, 2'500}) {
    rank.memory.emplace_back(150'000);
    rank.transfers.push_back({piece,
                              {{begin}, {37'500}},
                              contiguous_view(rank.memory.back().data(), Dtype::int32, {37'500})});
    rank.hashed.push_back(0);
  }
  scene.read(random, false, 0);
  ASSERT_FALSE(rank.done);
  EXPECT_EQ(rank.done.error().code, ErrorCode::mismatch);
}

TEST(RegionReader, AFileThatEndsEarlyEndsAllRanks) {
  RandomSource random;
  ReadScene scene(3);
  scene.add_file(random);
  scene.images[0].resize(300'000);
  const StoredPiece piece{0, 0, {0}, {75'000}};
  for (RankWishes& rank : scene.wishes) {
    rank.memory.emplace_back(300'000);
    rank.transfers.push_back({piece, whole_box({75'000}),
                              contiguous_view(rank.memory.back().data(), Dtype::int32, {75'000})});
    rank.hashed.push_back(1);
  }
  std::ofstream(scene.paths[0], std::ios::binary) << std::string(200'000, 'x');
  scene.read(random, true, 0);
  int failed = 0;
  for (const RankWishes& rank : scene.wishes) {
    failed += rank.done ? 0 : 1;
    EXPECT_TRUE(rank.done || rank.done.error().code == ErrorCode::data_loss);
  }
  EXPECT_GE(failed, 1);
}

}  // namespace
}  // namespace shardmark
