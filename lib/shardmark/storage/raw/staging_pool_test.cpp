// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "shardmark/storage/raw/staging_pool.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;

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
