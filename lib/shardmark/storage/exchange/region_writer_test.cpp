// SPDX-License-Identifier: Apache-2.0
// Ranks as threads write interleaved boxes together, against memcpy into an image of the files.
#include "shardmark/storage/exchange/region_writer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

constexpr std::byte untouched{0xEE};
constexpr std::int64_t write_slot_bytes = std::int64_t{64} << 10;

std::vector<std::byte> bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

/// Files of tensors with gaps between them and some bytes of their maker, cut among ranks at
/// random.
struct WriteScene {
  TemporaryDirectory directory;
  std::vector<std::string> paths;
  std::vector<ExchangedFile> files;
  std::vector<std::vector<std::byte>> images;                        // what the files should hold
  std::vector<std::vector<RawTransfer<const std::byte>>> transfers;  // by rank
  std::vector<std::vector<std::uint64_t>> expected;                  // checksums, likewise
  std::vector<std::vector<std::byte>> memory;

  explicit WriteScene(int num_ranks)
      : transfers(static_cast<std::size_t>(num_ranks)),
        expected(static_cast<std::size_t>(num_ranks)) {}

  void add_file(RandomSource& random, std::uint64_t number) {
    std::int64_t at = random.number(9000);
    std::vector<ByteRange> elements;
    std::vector<ByteRange> foreign = {{0, at / 2}};
    std::vector<std::byte> image;
    for (std::int64_t left = 1 + random.number(5); left > 0; --left) {
      const Dims sizes{1 + random.number(300), 1 + random.number(600)};
      const StoredPiece piece{number, at, {0, 0}, sizes};
      elements.push_back({at, at + 4 * volume(sizes)});
      at = elements.back().end;
      image.resize(static_cast<std::size_t>(at), std::byte{0});
      for (const Box& box : random.tiling(sizes, static_cast<int>(random.number(7)))) {
        add_box(random, piece, box, image);
      }
      if (const std::int64_t gap = random.one_in(2) ? 0 : random.number(20000); gap > 0) {
        if (random.one_in(2)) {
          foreign.push_back({at + gap / 3, at + gap / 2});
        }
        at += gap;
      }
    }
    image.resize(static_cast<std::size_t>(at + (random.one_in(2) ? 0 : random.number(5000))));
    const auto size = static_cast<std::int64_t>(image.size());
    files.push_back(make_exchanged_file(number, size, random.one_in(2) ? 0 : last_rank(), elements,
                                        foreign, SharedStaging::block_bytes));
    // The bytes that nobody of the exchange writes.
    const std::vector<std::byte> all(image.size(), untouched);
    std::vector<ByteRange> left_alone = subtract(files.back().kept, elements);
    left_alone.push_back({files.back().num_bytes, size});
    for (const ByteRange& range : left_alone) {
      std::fill(image.begin() + range.begin, image.begin() + range.end, untouched);
    }
    paths.push_back(directory.path() + "/" + std::to_string(number));
    std::ofstream(paths.back(), std::ios::binary)
        .write(reinterpret_cast<const char*>(all.data()), static_cast<std::streamsize>(size));
    images.push_back(std::move(image));
  }

  int last_rank() const { return static_cast<int>(transfers.size()) - 1; }

  void add_box(RandomSource& random, const StoredPiece& piece, const Box& box,
               std::vector<std::byte>& image) {
    std::vector<std::byte> own(static_cast<std::size_t>(4 * box.num_elements()) + 4096);
    // Any bytes do, if few are alike.
    std::uint64_t word = random.engine()();
    for (std::byte& byte : own) {
      word = word * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(word >> 56);
    }
    // Memory that agrees with the file, or not.
    auto begin = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(own.data()) % 4096);
    begin = random.one_in(2) ? 0 : (begin + static_cast<std::size_t>(piece.address)) % 4096;
    const ConstTensorView view =
        contiguous_view<const std::byte>(own.data() + begin, Dtype::int32, box.sizes);
    const std::byte* from = view.data;
    for_each_run(box, piece.sizes, [&](std::int64_t element, std::int64_t count) {
      std::memcpy(image.data() + piece.address + 4 * element, from,
                  static_cast<std::size_t>(4 * count));
      from += 4 * count;
    });
    const std::size_t rank = random.index(transfers.size());
    transfers[rank].push_back({piece, box, view});
    expected[rank].push_back(xxh3(view));
    memory.push_back(std::move(own));
  }

  void write_and_compare(RandomSource& random, bool o_direct) {
    const SharedStaging::Shape shape{last_rank() + 1, 1 + static_cast<int>(random.number(4)),
                                     write_slot_bytes};
    std::vector<std::byte> room(static_cast<std::size_t>(SharedStaging::num_bytes(shape)) + 4096);
    const auto begin = -reinterpret_cast<std::uintptr_t>(room.data()) % 4096;
    const std::span<std::byte> shared = std::span(room).subspan(begin);
    SharedStaging::prepare(shared, shape);
    std::vector<std::thread> ranks;
    std::vector<Status> done(transfers.size());
    for (int rank = 0; rank <= last_rank(); ++rank) {
      ranks.emplace_back([&, rank] {
        const auto r = static_cast<std::size_t>(rank);
        std::vector<RawFile> open;
        std::vector<const RawFile*> pointers;
        open.reserve(paths.size());
        for (const std::string& path : paths) {
          open.push_back(*RawFile::open(path, RawFile::Access::write, o_direct));
          pointers.push_back(&open.back());
        }
        WriteCounters counters;
        RegionWriter writer(SharedStaging(shared, shape), {files, pointers, rank, 0}, counters,
                            nullptr);
        std::vector<std::uint64_t> checksums(transfers[r].size());
        done[r] = writer.write(transfers[r], checksums);
        EXPECT_EQ(checksums, expected[r]);
      });
    }
    for (std::thread& rank : ranks) {
      rank.join();
    }
    for (const Status& status : done) {
      EXPECT_TRUE(status) << status.error().message;
    }
    for (std::size_t f = 0; f < paths.size(); ++f) {
      EXPECT_TRUE(bytes_of_file(paths[f]) == images[f]) << "file " << f;
    }
  }
};

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
  std::vector<std::thread> ranks;
  std::vector<Status> done(3);
  for (int rank = 0; rank < 3; ++rank) {
    ranks.emplace_back([&, rank] {
      const auto r = static_cast<std::size_t>(rank);
      const RawFile file = *RawFile::open(
          scene.paths[0], rank == 0 ? RawFile::Access::read : RawFile::Access::write, false);
      const RawFile* const pointer = &file;
      WriteCounters counters;
      RegionWriter writer(SharedStaging(room, shape), {scene.files, {&pointer, 1}, rank, 0},
                          counters, nullptr);
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
