// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_memory.hpp"

namespace shardmark::bench {
namespace {

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

}  // namespace
}  // namespace shardmark::bench
