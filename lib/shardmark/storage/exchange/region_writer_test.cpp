// SPDX-License-Identifier: Apache-2.0
// Ranks as threads write interleaved boxes together, against memcpy into an image of the files.
#include "shardmark/storage/exchange/region_writer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "shardmark/storage/exchange/write_test_fixture.hpp"

namespace shardmark {
namespace {

class RegionWriterOf : public ::testing::TestWithParam<std::tuple<int, bool>> {};

TEST_P(RegionWriterOf, RanksAsThreads) {
  const auto [num_ranks, o_direct] = GetParam();
  RandomSource random;
  for (int round = 0; round < 4; ++round) {
    WriteScene scene(num_ranks);
    scene.add_file(random, 0);
    if (random.one_in(2)) {
      scene.add_file(random, 3);
    }
    scene.write_and_compare(random, o_direct);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, RegionWriterOf,
                         ::testing::Combine(::testing::Values(1, 2, 3, 5), ::testing::Bool()));

TEST(RegionWriter, OfTilesLeavesNoPadding) {
  std::vector<std::byte> elements(4 * 6, std::byte{7});
  const RawTransfer<const std::byte> tile{
      {0, 100, {4, 8}, {3, 5}},
      {{4, 8}, {2, 3}},
      contiguous_view<const std::byte>(elements.data(), Dtype::int32, {2, 3})};
  EXPECT_EQ(longest_padding_row({&tile, 1}), 20);
  const std::vector<std::byte> zeros(20);
  std::vector<RawTransfer<const std::byte>> all = padding_of({&tile, 1}, zeros.data());
  all.push_back(tile);
  std::vector<std::byte> file(100 + 60, untouched);
  for (TransferRuns<const std::byte> runs(all); !runs.done();) {
    const auto run = runs.take(INT64_MAX);
    std::copy_n(run.data, run.num_bytes, file.begin() + run.offset);
  }
  for (std::size_t i = 100; i < 160; ++i) {
    const std::size_t row = (i - 100) / 20;
    const std::size_t column = (i - 100) % 20 / 4;
    EXPECT_EQ(file[i], row < 2 && column < 3 ? std::byte{7} : std::byte{0}) << i;
  }
}

// Nobody waits for a rank that cannot write: here every write of rank 0 fails.
TEST(RegionWriter, AFailureEndsAllRanks) {
  RandomSource random;
  WriteScene scene(3);
  scene.add_file(random, 0);
  const SharedStaging::Shape shape{3, 2, write_slot_bytes};
  std::vector<std::byte> room(static_cast<std::size_t>(SharedStaging::num_bytes(shape)));
  SharedStaging::prepare(room, shape);
  const std::vector<Region> regions = cut_into_regions(scene.files, shape.slot_bytes, 3);
  std::vector<std::thread> ranks;
  std::vector<Status> done(3);
  for (int rank = 0; rank < 3; ++rank) {
    ranks.emplace_back([&, rank] {
      const auto r = static_cast<std::size_t>(rank);
      const RawFile file = *RawFile::open(
          scene.paths[0], rank == 0 ? RawFile::Access::read : RawFile::Access::write, false);
      const RawFile* const pointer = &file;
      WriteCounters counters;
      RegionWriter writer(SharedStaging(room, shape),
                          {scene.files, {&pointer, 1}, regions, rank, 0}, counters, nullptr);
      done[r] = writer.write(scene.transfers[r], {});
    });
  }
  for (std::thread& rank : ranks) {
    rank.join();
  }
  EXPECT_FALSE(done[0]);
  EXPECT_TRUE(done[1]);
  EXPECT_TRUE(done[2]);
}

}  // namespace
}  // namespace shardmark
