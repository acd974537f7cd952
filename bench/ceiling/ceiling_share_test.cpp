// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "bench/ceiling/ceiling_memory.hpp"
#include "bench/ceiling/ceiling_share.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

TEST(CeilingShares, EveryStoredByteIsWrittenOnceAndInWholeBlocks) {
  const CeilingShares shares({10'000, 0, 4096}, {1, 1, 1});
  EXPECT_EQ(shares.total_bytes(), 12'288 + 4096);
  for (const FileSharing sharing : {FileSharing::file_a_rank, FileSharing::one_file}) {
    const bool shared = sharing == FileSharing::one_file;
    std::vector<bool> written(16'384);
    for (int rank = 0; rank < 3; ++rank) {
      for (const CeilingPiece& piece : shares.written(rank, 8192, sharing, no_limit)) {
        EXPECT_EQ(piece.file, shared ? 0U : static_cast<std::size_t>(rank));
        EXPECT_EQ(piece.offset % 4096, 0);
        EXPECT_LE(piece.num_bytes, 8192);
        EXPECT_EQ(piece.offset,
                  shared ? piece.position : piece.position - (rank == 2 ? 12'288 : 0));
        for (std::int64_t b = piece.position; b < piece.position + piece.num_bytes; ++b) {
          EXPECT_FALSE(written[static_cast<std::size_t>(b)]);
          written[static_cast<std::size_t>(b)] = true;
        }
      }
    }
    EXPECT_EQ(std::count(written.begin(), written.end(), true), 16'384);
  }
  EXPECT_EQ(shares.written(0, 4096, FileSharing::one_file, 5000).back().num_bytes, 904);
}

TEST(CeilingShares, AReaderGoesRoundAllFilesUntilItHasWhatItWants) {
  const CeilingShares shares({8192, 4096, 0}, {12'288, 20'480, 4096});
  const auto bytes_of = [](const std::vector<CeilingPiece>& pieces) {
    std::int64_t sum = 0;
    for (const CeilingPiece& piece : pieces) {
      sum += piece.num_bytes;
    }
    return sum;
  };
  const auto second = shares.read(1, 1 << 20, FileSharing::file_a_rank, 0, no_limit);
  EXPECT_EQ(bytes_of(second), 20'480);
  ASSERT_EQ(second.size(), 4U);
  EXPECT_EQ(second[0].file, 1U);
  EXPECT_EQ(second[1].file, 0U);
  EXPECT_EQ(second[2].file, 1U);
  EXPECT_EQ(second[3].num_bytes, 4096);
  const auto third = shares.read(2, 4096, FileSharing::one_file, 512,
                                 no_limit);  // owns nothing, begins at rank 0's
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(third[0].offset, 512);
  EXPECT_TRUE(
      CeilingShares({0, 0}, {4096, 0}).read(0, 4096, FileSharing::one_file, 0, no_limit).empty());
}

}  // namespace
}  // namespace shardmark::bench
