// SPDX-License-Identifier: Apache-2.0
// Raw writes against memcpy: what is written lies where it should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::file_contents;
using shardmark::testing::make_file;
using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

class RawWriting : public ::testing::TestWithParam<bool> {};  // O_DIRECT

TEST_P(RawWriting, WritesAnyPiecesInAscendingOrder) {
  RandomSource random;
  for (int round = 0; round < 3; ++round) {
    const TemporaryDirectory directory;
    constexpr std::size_t file_bytes = std::size_t{24} << 20;
    const std::string path = make_file(directory, std::vector<std::byte>(file_bytes));
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
    EXPECT_TRUE(file_contents(path) == expected) << "round " << round;
    EXPECT_EQ(file->o_direct() && counters.bytes_o_direct > 0, counters.bytes_o_direct > 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Caches, RawWriting, ::testing::Bool(), [](const auto& o_direct) {
  return std::string(o_direct.param ? "past_the_cache" : "through_the_cache");
});

}  // namespace
}  // namespace shardmark
