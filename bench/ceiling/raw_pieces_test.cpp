// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/ceiling/ceiling_memory.hpp"
#include "bench/ceiling/raw_pieces.hpp"

namespace shardmark::bench {
namespace {

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

}  // namespace
}  // namespace shardmark::bench
