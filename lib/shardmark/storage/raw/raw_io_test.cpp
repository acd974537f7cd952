// SPDX-License-Identifier: Apache-2.0
// Raw transfers against memcpy: what is written lies where it should, what is read comes back.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_reader.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

std::string file_of_zeros(const TemporaryDirectory& directory, std::size_t size) {
  const std::string path = directory.path() + "/data";
  std::ofstream(path) << std::string(size, '\0');
  return path;
}

std::vector<std::byte> contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

class RawIo : public ::testing::TestWithParam<bool> {};  // O_DIRECT

TEST_P(RawIo, WritesAnyPiecesInAscendingOrder) {
  RandomSource random;
  for (int round = 0; round < 3; ++round) {
    const TemporaryDirectory directory;
    constexpr std::size_t file_bytes = std::size_t{24} << 20;
    const std::string path = file_of_zeros(directory, file_bytes);
    std::vector<std::byte> expected(file_bytes);
    const auto source = random.bytes(file_bytes + 64);
    auto file = RawFile::open(path, RawFile::Access::write, GetParam());
    ASSERT_TRUE(file);
    WriteCounters counters;
    std::int64_t written = 0;
    StreamingChecksum streamed;
    StreamingChecksum whole;
    {
      RawWriter writer(static_cast<int>(random.number(4)), counters);
      for (std::int64_t at = random.number(9000); at < static_cast<std::int64_t>(file_bytes);) {
        constexpr std::int64_t sizes[] = {1, 100, 5000, 300'000, 20'000'000};
        const std::int64_t size = std::min<std::int64_t>(
            static_cast<std::int64_t>(file_bytes) - at, 1 + random.number(sizes[random.number(5)]));
        // Memory that agrees with the file, or not.
        const std::int64_t shift = random.one_in(2) ? 0 : 1 + random.number(63);
        const auto bytes = std::span(source).subspan(static_cast<std::size_t>(at + shift),
                                                     static_cast<std::size_t>(size));
        ASSERT_TRUE(writer.put(*file, bytes, at, &streamed));
        whole.update(bytes);
        std::copy(bytes.begin(), bytes.end(), expected.begin() + at);
        written += size;
        at += size + (random.one_in(2) ? 0 : random.number(20'000));
      }
      ASSERT_TRUE(writer.finish());
    }
    EXPECT_EQ(counters.bytes_written, written);
    EXPECT_EQ(streamed.digest(), whole.digest());
    EXPECT_TRUE(contents(path) == expected) << "round " << round;
    EXPECT_EQ(file->o_direct() && counters.bytes_o_direct > 0, counters.bytes_o_direct > 0);
  }
}

TEST_P(RawIo, ReadsAnyBoxesOfAnyPieces) {
  RandomSource random;
  for (int round = 0; round < 10; ++round) {
    const TemporaryDirectory directory;
    const Dims tensor{1 + random.number(300), 1 + random.number(40), 1 + random.number(60)};
    const std::int64_t address = random.number(5000);
    const auto elements = volume(tensor);
    const std::string path = directory.path() + "/data";
    const auto stored = random.bytes(static_cast<std::size_t>(address + 4 * elements));
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(stored.data()),
               static_cast<std::streamsize>(stored.size()));
    // Slabs along a random dimension, each cut again: their rows interleave in the file.
    std::vector<RawTransfer<std::byte>> transfers;
    std::vector<std::vector<std::byte>> memory;
    const int along = static_cast<int>(random.number(3));
    memory.reserve(64);
    for (std::int64_t at = 0; at < tensor[along] && memory.size() < 60;) {
      Box box = whole_box(tensor);
      box.offsets[along] = at;
      box.sizes[along] = std::min(tensor[along] - at, 1 + random.number(tensor[along]));
      at += box.sizes[along];
      if (random.one_in(5)) {
        continue;
      }
      memory.emplace_back(static_cast<std::size_t>(4 * box.num_elements()));
      transfers.push_back({{0, address, {0, 0, 0}, tensor},
                           box,
                           contiguous_view(memory.back().data(), Dtype::int32, box.sizes)});
    }
    std::unordered_map<std::uint64_t, RawFile> files;
    files.emplace(0, *RawFile::open(path, RawFile::Access::read, GetParam()));
    ReadCounters counters;
    std::vector<std::uint64_t> checksums(transfers.size());
    const std::vector<std::uint8_t> hashed(transfers.size(), 1);
    RawReader reader({static_cast<int>(random.number(3)), random.number(9000), hashed}, counters);
    ASSERT_TRUE(reader.read(transfers, files, checksums));
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      const ConstTensorView whole = contiguous_view(stored.data() + address, Dtype::int32, tensor);
      const ConstTensorView part = whole.subview(transfers[i].box);
      EXPECT_EQ(xxh3(part), xxh3(ConstTensorView(transfers[i].elements))) << "round " << round;
      EXPECT_EQ(xxh3(part), checksums[i]);
    }
  }
}

TEST_P(RawIo, AFileThatEndsEarlyIsDataLoss) {
  const TemporaryDirectory directory;
  const std::string path = file_of_zeros(directory, 10'000);
  std::vector<std::byte> memory(4000);
  const std::vector<RawTransfer<std::byte>> transfers = {
      {{0, 8000, {0}, {1000}},
       whole_box({1000}),
       contiguous_view(memory.data(), Dtype::int32, {1000})}};
  std::unordered_map<std::uint64_t, RawFile> files;
  files.emplace(0, *RawFile::open(path, RawFile::Access::read, GetParam()));
  ReadCounters counters;
  RawReader reader({1, 0, {}}, counters);
  EXPECT_EQ(reader.read(transfers, files, {}).error().code, ErrorCode::data_loss);
}

TEST_P(RawIo, ReadsAcrossGapsUpToTheLimitAndAFifthOfWhatIsNeeded) {
  const TemporaryDirectory directory;
  const std::string path = file_of_zeros(directory, 1 << 20);
  std::vector<std::byte> memory(10 * 400);
  const auto counters_of = [&](std::int64_t every, std::int64_t gap) {
    std::vector<RawTransfer<std::byte>> transfers;
    for (std::int64_t i = 0; i < 10; ++i) {  // 400 bytes each
      transfers.push_back({{0, every * i, {0}, {100}},
                           whole_box({100}),
                           contiguous_view(memory.data() + 400 * i, Dtype::int32, {100})});
    }
    std::unordered_map<std::uint64_t, RawFile> files;
    files.emplace(0, *RawFile::open(path, RawFile::Access::read, GetParam()));
    ReadCounters counters;
    RawReader reader({1, gap, {}}, counters);
    EXPECT_TRUE(reader.read(transfers, files, {}));
    return counters;
  };
  EXPECT_EQ(counters_of(480, 79).read_requests, 10);
  EXPECT_EQ(counters_of(480, 80).read_requests, 1);
  EXPECT_EQ(counters_of(480, 80).bytes_read, 9 * 480 + 400);
  EXPECT_EQ(counters_of(10'000, 9600).read_requests, 10);
  EXPECT_EQ(counters_of(10'000, 9600).bytes_read, 4000);
}

TEST_P(RawIo, ARunInsideOneBeforeItIsReadWithIt) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/data";
  RandomSource random;
  const auto stored = random.bytes(8000);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(stored.data()), 8000);
  std::vector<std::byte> outer(8000);
  std::vector<std::byte> inner(400);
  const std::vector<RawTransfer<std::byte>> transfers = {
      {{0, 0, {0}, {2000}}, whole_box({2000}), contiguous_view(outer.data(), Dtype::int32, {2000})},
      {{0, 400, {0}, {100}}, whole_box({100}), contiguous_view(inner.data(), Dtype::int32, {100})}};
  std::unordered_map<std::uint64_t, RawFile> files;
  files.emplace(0, *RawFile::open(path, RawFile::Access::read, GetParam()));
  ReadCounters counters;
  RawReader reader({1, 0, {}}, counters);
  ASSERT_TRUE(reader.read(transfers, files, {}));
  EXPECT_EQ(outer, stored);
  EXPECT_TRUE(std::equal(inner.begin(), inner.end(), stored.begin() + 400));
  EXPECT_EQ(counters.bytes_read, 8000);
}

INSTANTIATE_TEST_SUITE_P(Caches, RawIo, ::testing::Bool(), [](const auto& o_direct) {
  return std::string(o_direct.param ? "past_the_cache" : "through_the_cache");
});

TEST(RawFile, MemoryFileSystemsTakeODirectAndAreFoundOut) {
  const std::string path = fmt::format("/dev/shm/shardmark-raw-file-{}", ::getpid());
  std::ofstream(path) << std::string(8192, 'x');
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no /dev/shm here";
  }
  const auto file = RawFile::open(path, RawFile::Access::write, true);
  ASSERT_TRUE(file);
  if (file->o_direct()) {
    const StagingPiece staging;
    ASSERT_TRUE(file->write({staging.data(), 8192}, 0, true));
  }
  EXPECT_FALSE(file->o_direct());
  EXPECT_NE(file->o_direct_reason(), "");
  std::filesystem::remove(path);
}

TEST(StraightCut, MakesFewRequestsOfAboutOneSizeCutAtWholeMiB) {
  constexpr std::int64_t mib = 1 << 20;
  const auto cuts = [](std::int64_t offset, std::int64_t num_bytes) {
    std::vector<std::int64_t> sizes;
    for (const std::int64_t end = offset + num_bytes; offset < end;) {
      const std::int64_t cut = straight_cut(offset, end - offset);
      sizes.push_back(cut - offset);
      offset = cut;
    }
    return sizes;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(cuts(mib + 4096, 16 * mib), ElementsAre(16 * mib)) << "wherever it begins";
  EXPECT_THAT(cuts(0, 16 * mib + 1), ElementsAre(8 * mib, 8 * mib + 1));
  EXPECT_THAT(cuts(mib / 2, 32 * mib), ElementsAre(16 * mib + mib / 2, 15 * mib + mib / 2));
  EXPECT_THAT(cuts(0, 64 * mib), ElementsAre(16 * mib, 16 * mib, 16 * mib, 16 * mib));
  for (const std::int64_t num_bytes : {1, 5, 100, 333}) {
    std::int64_t sum = 0;
    for (const std::int64_t size : cuts(7 * mib + 12'288, num_bytes * mib + 513)) {
      EXPECT_LE(size, straight_piece_bytes + mib);
      sum += size;
    }
    EXPECT_EQ(sum, num_bytes * mib + 513);
  }
}

}  // namespace
}  // namespace shardmark
