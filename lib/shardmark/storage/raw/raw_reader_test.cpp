// SPDX-License-Identifier: Apache-2.0
// Raw reads against memcpy: what is read is what lies there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_reader.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::file_contents;
using shardmark::testing::make_file;
using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

class RawReading : public ::testing::TestWithParam<bool> {};  // O_DIRECT

TEST_P(RawReading, ReadsAnyBoxesOfAnyPieces) {
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

TEST_P(RawReading, AFileThatEndsEarlyIsDataLoss) {
  const TemporaryDirectory directory;
  const std::string path = make_file(directory, std::vector<std::byte>(10'000));
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

TEST_P(RawReading, ReadsAcrossGapsUpToTheLimitAndAFifthOfWhatIsNeeded) {
  const TemporaryDirectory directory;
  const std::string path = make_file(directory, std::vector<std::byte>(1 << 20));
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

// The kernel reads pages whole: rows of a byte are no requests of a byte.
TEST_P(RawReading, GapsWithinAPageAreReadAcross) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/data";
  std::vector<std::byte> stored(100'000);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    stored[i] = static_cast<std::byte>(i % 251);
  }
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(stored.data()),
             static_cast<std::streamsize>(stored.size()));
  std::unordered_map<std::uint64_t, RawFile> files;
  files.emplace(0, *RawFile::open(path, RawFile::Access::read, GetParam()));
  const Dims tensor{50'000, 2};
  for (const std::int64_t sieve_gap : {0, 1, 4096}) {
    std::vector<std::byte> memory(50'000);
    const std::vector<RawTransfer<std::byte>> transfers{
        {{0, 0, {0, 0}, tensor},
         {{0, 1}, {50'000, 1}},
         contiguous_view(memory.data(), Dtype::uint8, {50'000, 1})}};
    ReadCounters counters;
    RawReader reader({0, sieve_gap, {}}, counters);
    ASSERT_TRUE(reader.read(transfers, files, {}));
    for (std::size_t row = 0; row < memory.size(); ++row) {
      ASSERT_EQ(memory[row], stored[2 * row + 1]) << row;
    }
    EXPECT_EQ(counters.read_requests, sieve_gap == 0 ? 50'000 : 1);
  }
}

TEST_P(RawReading, ARunInsideOneBeforeItIsReadWithIt) {
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

INSTANTIATE_TEST_SUITE_P(Caches, RawReading, ::testing::Bool(), [](const auto& o_direct) {
  return std::string(o_direct.param ? "past_the_cache" : "through_the_cache");
});

}  // namespace
}  // namespace shardmark
