// SPDX-License-Identifier: Apache-2.0
// Ranks as threads, on several nodes with a staging each, write interleaved boxes into the same
// files, against memcpy into an image of the files.
#include "shardmark/storage/exchange/region_courier.hpp"

#include <gtest/gtest.h>

#include "shardmark/storage/exchange/write_test_fixture.hpp"

namespace shardmark {
namespace {

struct Nodes {
  int num_ranks;
  int ranks_a_node;
};

class RegionCourierOn : public ::testing::TestWithParam<std::tuple<Nodes, std::int64_t, bool>> {};

TEST_P(RegionCourierOn, SeveralNodes) {
  const auto [nodes, least_own_bytes, o_direct] = GetParam();
  RandomSource random;
  for (int round = 0; round < 2; ++round) {
    WriteScene scene(nodes.num_ranks);
    scene.write_block *= random.one_in(2) ? 1 : 4;
    scene.add_file(random, 0);
    if (random.one_in(2)) {
      scene.add_file(random, 3);
    }
    if (round == 1) {
      scene.striping = {{{0, 2 * write_slot_bytes, write_slot_bytes, 1},
                         {2 * write_slot_bytes, INT64_MAX, write_slot_bytes / 2, 4}}};
      scene.objects_apart = random.one_in(2);
    }
    scene.write_on_nodes(random, nodes.ranks_a_node, least_own_bytes, o_direct);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, RegionCourierOn,
                         ::testing::Combine(::testing::Values(Nodes{2, 1}, Nodes{4, 1}, Nodes{4, 2},
                                                              Nodes{5, 2}, Nodes{6, 3}),
                                            ::testing::Values(SharedStaging::block_bytes,
                                                              write_slot_bytes / 4),
                                            ::testing::Bool()));

// Files of some ranks each, on one node and across nodes, beside the first, which is everybody's.
TEST(RegionCourier, FilesOfSomeRanks) {
  RandomSource random;
  for (int round = 0; round < 6; ++round) {
    WriteScene scene(6);
    scene.file_of_rank = {1, 1, 2, 2, 2, 3};
    for (std::uint64_t file = 0; file < 4; ++file) {
      scene.add_file(random, file);
    }
    if (random.one_in(2)) {
      scene.striping = {{{0, INT64_MAX, write_slot_bytes, 2}}};
      scene.objects_apart = random.one_in(2);
    }
    scene.write_on_nodes(random, 1 + static_cast<int>(random.number(3)),
                         random.one_in(2) ? SharedStaging::block_bytes : write_slot_bytes / 4,
                         random.one_in(2));
  }
}

// Whole rows of blocks by one rank: nothing but the ragged ends travels.
TEST(RegionCourier, SendsOnlyWhatNoNodeFills) {
  WriteScene scene(2);
  constexpr std::int64_t columns = 1000;
  const StoredPiece piece{0, 100, {0, 0}, {100, columns}};
  std::vector<std::byte> image(100 + std::size_t{4} * 100 * columns, untouched);
  RandomSource random;
  const ByteRange elements{100, 100 + std::int64_t{4} * 100 * columns};
  scene.add_box(random, piece, {{0, 0}, {50, columns}}, image);
  scene.add_box(random, piece, {{50, 0}, {50, columns}}, image);
  // Each rank one half, whatever was drawn.
  const std::vector<RawTransfer<const std::byte>> drawn = [&] {
    std::vector<RawTransfer<const std::byte>> all;
    for (const auto& rank : scene.transfers) {
      all.insert(all.end(), rank.begin(), rank.end());
    }
    return all;
  }();
  scene.transfers = {{drawn[0]}, {drawn[1]}};
  scene.expected = {{xxh3(drawn[0].elements)}, {xxh3(drawn[1].elements)}};
  scene.files.push_back(
      make_exchanged_file(0, elements.end, 0, {elements}, {{0, 100}}, SharedStaging::block_bytes));
  scene.paths.push_back(scene.directory.path() + "/0");
  std::ofstream(scene.paths.back(), std::ios::binary) << std::string(image.size(), '\xEE');
  scene.images.push_back(image);
  scene.write_on_nodes(random, 1, SharedStaging::block_bytes, false);
  std::int64_t bytes = 0;
  for (const WriteCounters& counters : scene.counters) {
    bytes += counters.bytes_sent;
  }
  EXPECT_GT(bytes, 0);
  // The block in the middle, the first with the keeper's bytes and the last, which is not whole.
  EXPECT_LE(bytes, 3 * SharedStaging::block_bytes);
}

// Whoever waits for bytes of a rank that cannot write hears of it.
TEST(RegionCourier, AFailureEndsAllNodes) {
  for (int failing = 0; failing < 4; ++failing) {
    RandomSource random;
    WriteScene scene(4);
    scene.add_file(random, 0);
    scene.add_file(random, 1);
    scene.failing_rank = failing;
    const std::vector<Status> done =
        scene.write_on_nodes(random, 2, SharedStaging::block_bytes, false);
    for (int rank = 0; rank < 4; ++rank) {
      EXPECT_TRUE(rank == failing || done[static_cast<std::size_t>(rank)])
          << done[static_cast<std::size_t>(rank)].error().message;
    }
  }
}

// Rank 1 of the node of ranks 0 and 1 has nothing to serve, and a write from its own memory fails
// late: rank 2, which waits for bytes of that node, hears of it.
TEST(RegionCourier, ALateFailureEndsAllNodes) {
  const ExchangedFile file = make_exchanged_file(0, write_slot_bytes, 2, {{0, write_slot_bytes}},
                                                 {}, SharedStaging::block_bytes);
  const std::vector<int> node_of_rank = {0, 0, 1};
  std::vector<std::vector<std::byte>> rooms;
  std::vector<SharedStaging> stagings;
  for (const int num_ranks : {2, 1}) {
    const SharedStaging::Shape shape{num_ranks, 2, write_slot_bytes, true};
    rooms.emplace_back(static_cast<std::size_t>(SharedStaging::num_bytes(shape)) + 4096);
    const auto begin = -reinterpret_cast<std::uintptr_t>(rooms.back().data()) % 4096;
    stagings.emplace_back(std::span(rooms.back()).subspan(begin), shape);
    SharedStaging::prepare(std::span(rooms.back()).subspan(begin), shape);
  }
  ::shardmark::testing::ThreadMessages messages(3);
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < 3; ++rank) {
    ranks.emplace_back([&, rank] {
      const auto box = messages.box_of(rank);
      std::vector<Region> regions = cut_into_regions({&file, 1}, write_slot_bytes, 1);
      deal_to_nodes(regions, {&file, 1}, {node_of_rank, {}, 0, false}, rank);
      regions.front().writer = 2;
      const SharedStaging& staging =
          stagings[static_cast<std::size_t>(node_of_rank[static_cast<std::size_t>(rank)])];
      RegionOutput output(staging, {});
      RegionCourier courier(staging, {{&file, 1}, regions, rank % 2, 0, write_slot_bytes, 1}, *box,
                            output);
      std::thread beside([&] { courier.run(); });
      if (rank == 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        output.note(Error{ErrorCode::internal, "late"});
      }
      courier.end_filling();
      beside.join();
      EXPECT_EQ(!output.status(), rank == 1);
      EXPECT_TRUE(staging.failed());
    });
  }
  WriteScene::join(ranks);
}

}  // namespace
}  // namespace shardmark
