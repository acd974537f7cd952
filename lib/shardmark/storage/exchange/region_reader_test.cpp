// SPDX-License-Identifier: Apache-2.0
// Ranks as threads read boxes together, disjoint or not, against memcpy out of an image of the
// files.
#include "shardmark/storage/exchange/region_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

constexpr std::int64_t read_slot_bytes = std::int64_t{64} << 10;
constexpr std::int64_t int32_bytes = 4;

/// What one rank asks for, and where it goes.
struct RankWishes {
  std::vector<RawTransfer<std::byte>> transfers;
  std::vector<std::uint8_t> hashed;
  std::vector<std::vector<std::byte>> memory;
  std::vector<RegionReader::Watched> watched;
  std::vector<std::uint64_t> checksums;
  std::vector<std::optional<std::uint64_t>> watched_checksums;
  ReadCounters counters;
  Status done;
};

class ReadScene {
 public:
  explicit ReadScene(int num_ranks) : wishes(static_cast<std::size_t>(num_ranks)) {}

  void add_file(RandomSource& random) {
    const std::uint64_t number = 2 * paths.size();
    std::vector<std::byte> image(static_cast<std::size_t>(1 + random.number(700'000)));
    // Any bytes do, if few are alike.
    std::uint64_t word = random.engine()();
    for (std::byte& byte : image) {
      word = word * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(word >> 56);
    }
    paths.push_back(directory.path() + "/" + std::to_string(number));
    std::ofstream(paths.back(), std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
    images.push_back(std::move(image));
    numbers.push_back(number);
  }

  /// Behind those before it: pieces of a checkpoint do not overlap.
  StoredPiece next_piece(RandomSource& random) {
    const std::size_t file = random.index(images.size());
    used.resize(images.size(), 0);
    const std::int64_t address = used[file] + random.number(5000);
    const std::int64_t room =
        (static_cast<std::int64_t>(images[file].size()) - address) / int32_bytes;
    if (room <= 0) {
      return {};
    }
    const std::int64_t rows = 1 + random.number(std::min<std::int64_t>(room, 200));
    const Dims sizes{rows, 1 + random.number(std::min<std::int64_t>(room / rows, 300))};
    used[file] = address + int32_bytes * volume(sizes);
    return {numbers[file], address, {0, 0}, sizes};
  }

  /// Each box goes to some of the ranks; the first that has it watches all of the piece.
  void wish(RandomSource& random, bool disjoint) {
    const StoredPiece piece = next_piece(random);
    if (piece.address < 0) {
      return;
    }
    bool complete = true;
    for (const Box& box : random.tiling(piece.sizes, static_cast<int>(random.number(6)))) {
      const bool skipped = random.one_in(8);
      complete = complete && !skipped;
      const std::size_t first = random.index(wishes.size());
      const std::size_t count = skipped ? 0 : disjoint ? 1 : 1 + random.index(wishes.size());
      for (std::size_t i = 0; i < count; ++i) {
        RankWishes& rank = wishes[(first + i) % wishes.size()];
        rank.memory.emplace_back(static_cast<std::size_t>(int32_bytes * box.num_elements()));
        rank.transfers.push_back(
            {piece, box, contiguous_view(rank.memory.back().data(), Dtype::int32, box.sizes)});
        rank.hashed.push_back(random.one_in(2) ? 1 : 0);
      }
    }
    wishes[random.index(wishes.size())].watched.push_back(
        {piece, whole_box(piece.sizes), Dtype::int32});
    if (complete) {
      ++complete_pieces;
    }
  }

  std::vector<std::byte> stored(const StoredPiece& piece, const Box& box) const {
    std::vector<std::byte> bytes;
    const std::vector<std::byte>& image = images[piece.file / 2];
    for_each_run(box, piece.sizes, [&](std::int64_t element, std::int64_t count) {
      const auto* from = image.data() + piece.address + int32_bytes * element;
      bytes.insert(bytes.end(), from, from + int32_bytes * count);
    });
    return bytes;
  }

  void read(RandomSource& random, bool o_direct, std::int64_t sieve_gap) {
    std::vector<ReadRegion> regions;
    for (std::size_t f = 0; f < images.size(); ++f) {
      std::int64_t end = 0;
      for (const RankWishes& rank : wishes) {
        for (const auto& transfer : rank.transfers) {
          if (transfer.piece.file == numbers[f]) {
            end =
                std::max(end, transfer.piece.address + int32_bytes * volume(transfer.piece.sizes));
          }
        }
      }
      for (std::int64_t at = 0; at < end; at += read_slot_bytes) {
        regions.push_back({f, {at, std::min(at + read_slot_bytes, end)}});
      }
    }
    const SharedStaging::Shape shape{static_cast<int>(wishes.size()),
                                     1 + static_cast<int>(random.number(4)), read_slot_bytes};
    std::vector<std::byte> room(static_cast<std::size_t>(SharedStaging::num_bytes(shape)) + 4096);
    const auto begin = -reinterpret_cast<std::uintptr_t>(room.data()) % 4096;
    const std::span<std::byte> shared = std::span(room).subspan(begin);
    SharedStaging::prepare(shared, shape);
    std::vector<std::thread> ranks;
    for (std::size_t r = 0; r < wishes.size(); ++r) {
      ranks.emplace_back([&, r] {
        RankWishes& own = wishes[r];
        std::vector<RawFile> open;
        std::vector<const RawFile*> pointers;
        open.reserve(paths.size());
        for (const std::string& path : paths) {
          open.push_back(*RawFile::open(path, RawFile::Access::read, o_direct));
          pointers.push_back(&open.back());
        }
        own.checksums.resize(own.transfers.size());
        own.watched_checksums.resize(own.watched.size());
        RegionReader reader(SharedStaging(shared, shape),
                            {regions, numbers, pointers, static_cast<int>(r), 0, sieve_gap},
                            own.counters, nullptr);
        own.done = reader.read(own.transfers, own.hashed, own.checksums, own.watched,
                               own.watched_checksums);
      });
    }
    for (std::thread& rank : ranks) {
      rank.join();
    }
  }

  void compare() const {
    for (const RankWishes& rank : wishes) {
      ASSERT_TRUE(rank.done) << rank.done.error().message;
      for (std::size_t i = 0; i < rank.transfers.size(); ++i) {
        const auto expected = stored(rank.transfers[i].piece, rank.transfers[i].box);
        EXPECT_TRUE(rank.memory[i] == expected) << i;
        if (rank.hashed[i] != 0) {
          EXPECT_EQ(rank.checksums[i], xxh3(std::span<const std::byte>(expected)));
        }
      }
      for (std::size_t i = 0; i < rank.watched.size(); ++i) {
        if (rank.watched_checksums[i]) {
          EXPECT_EQ(
              *rank.watched_checksums[i],
              xxh3(std::span<const std::byte>(stored(rank.watched[i].piece, rank.watched[i].box))));
        }
      }
    }
  }

  std::int64_t sum_of(std::int64_t ReadCounters::*member) const {
    std::int64_t sum = 0;
    for (const RankWishes& rank : wishes) {
      sum += rank.counters.*member;
    }
    return sum;
  }
  std::int64_t num_hashed() const {
    std::int64_t count = 0;
    for (const RankWishes& rank : wishes) {
      count += std::count_if(rank.watched_checksums.begin(), rank.watched_checksums.end(),
                             [](const auto& checksum) { return checksum.has_value(); });
    }
    return count;
  }

  TemporaryDirectory directory;
  std::vector<std::string> paths;
  std::vector<std::uint64_t> numbers;
  std::vector<std::vector<std::byte>> images;
  std::vector<RankWishes> wishes;  // by rank
  std::vector<std::int64_t> used;  // by file
  std::int64_t complete_pieces = 0;
};

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
