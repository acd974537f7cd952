// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <set>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_memory.hpp"
#include "bench/ceiling/ceiling_share.hpp"
#include "bench/ceiling/raw_pieces.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

TEST(CeilingShares, EveryStoredByteIsWrittenOnceAndInWholeBlocks) {
  const CeilingShares shares({10'000, 0, 4096}, {1, 1, 1});
  EXPECT_EQ(shares.total_bytes(), 12'288 + 4096);
  for (const bool shared : {false, true}) {
    std::vector<bool> written(16'384);
    for (int rank = 0; rank < 3; ++rank) {
      for (const CeilingPiece& piece : shares.written(rank, 8192, shared, no_limit)) {
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
  EXPECT_EQ(shares.written(0, 4096, true, 5000).back().num_bytes, 904);
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
  const auto second = shares.read(1, 1 << 20, false, 0, no_limit);
  EXPECT_EQ(bytes_of(second), 20'480);
  ASSERT_EQ(second.size(), 4U);
  EXPECT_EQ(second[0].file, 1U);
  EXPECT_EQ(second[1].file, 0U);
  EXPECT_EQ(second[2].file, 1U);
  EXPECT_EQ(second[3].num_bytes, 4096);
  const auto third = shares.read(2, 4096, true, 512, no_limit);  // owns nothing, begins at rank 0's
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(third[0].offset, 512);
  EXPECT_TRUE(CeilingShares({0, 0}, {4096, 0}).read(0, 4096, true, 0, no_limit).empty());
}

TEST(CeilingMemory, AWrongByteAnywhereIsFound) {
  const std::int64_t much = std::int64_t{1} << 40;
  const std::int64_t period = CeilingMemory::period_for(3 << 20, much);
  EXPECT_EQ(period, 4 << 20);
  EXPECT_EQ(CeilingMemory::period_for(0, much), 2 << 20);
  EXPECT_EQ(CeilingMemory::period_for(much, 99 << 20), 98 << 20);
  EXPECT_EQ(CeilingMemory::period_for(much, 0), max_ceiling_piece_bytes);
  CeilingMemory memory;
  ASSERT_TRUE(memory.reserve(period));
  memory.fill(1, period);
  memory.poison();
  const std::vector<CeilingPiece> pieces = {{0, 0, (std::int64_t{1} << 40) - 100, 300},
                                            {0, 0, 5 << 20, 4 << 20}};
  EXPECT_FALSE(memory.compare(pieces));
  const auto copy = [&] {
    for (const CeilingPiece& piece : pieces) {
      const auto from = memory.source(piece);
      std::copy(from.begin(), from.end(), memory.target(piece).begin());
    }
  };
  copy();
  EXPECT_TRUE(memory.compare(pieces));
  memory.target(pieces[1])[77] ^= std::byte{1};
  EXPECT_FALSE(memory.compare(pieces));
  copy();
  memory.fill(2, period);  // what another repetition left behind
  EXPECT_FALSE(memory.compare(pieces));
}

TEST(RawPieces, EveryPieceOnceOnAnyNumberOfThreadsAndTheFirstFailureEndsIt) {
  std::vector<CeilingPiece> pieces(1000);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    pieces[i].position = static_cast<std::int64_t>(i);
  }
  for (const int threads : {1, 2, 4}) {
    std::vector<std::atomic<int>> calls(pieces.size());
    ASSERT_TRUE(for_each_piece(pieces, threads, [&](const CeilingPiece& piece) -> Status {
      ++calls[static_cast<std::size_t>(piece.position)];
      return {};
    }));
    EXPECT_TRUE(std::all_of(calls.begin(), calls.end(), [](const auto& n) { return n == 1; }));
    const Status failed = for_each_piece(pieces, threads, [&](const CeilingPiece& piece) -> Status {
      return piece.position == 500 ? Status(Error{ErrorCode::no_space, "full"}) : Status();
    });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "full");
  }
}

TEST(CeilingKind, NamesAreDistinctAndRawOptionsAreTheNine) {
  std::set<std::string> names;
  for (const CeilingKind& kind : ceiling_kinds()) {
    EXPECT_TRUE(names.insert(ceiling_variant(kind)).second);
    EXPECT_EQ(ceiling_options(kind).size(), kind.layer == CeilingLayer::bare_hdf5 ? 2U
                                            : kind.layer == CeilingLayer::mpi_io  ? 6U
                                                                                  : 9U);
  }
  EXPECT_EQ(names.size(), 14U);
  EXPECT_TRUE(names.contains("posix-shared-direct-load"));
}

}  // namespace
}  // namespace shardmark::bench
