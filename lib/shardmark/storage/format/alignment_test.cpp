// SPDX-License-Identifier: Apache-2.0
// Where objects begin: gaps laid out one by one, and the largest alignment that wastes little.
#include "shardmark/storage/format/alignment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace shardmark {
namespace {

TEST(Alignment, IsTheLargestThatPadsAtMostFivePercent) {
  const auto alignment_of = [](std::initializer_list<std::int64_t> sizes) {
    return choose_alignment(std::vector<std::int64_t>(sizes)).bytes;
  };
  constexpr std::int64_t mib = 1 << 20;
  EXPECT_EQ(alignment_of({64 * mib, 3 * mib}), mib);
  EXPECT_EQ(alignment_of({mib + 1}), 32 << 10);        // 64 KiB would pad by 6 %
  EXPECT_EQ(alignment_of({100 * mib, mib + 1}), mib);  // 1 MiB of 101
  EXPECT_EQ(alignment_of({4097}), mib);                // nothing is large enough to be aligned
  EXPECT_EQ(alignment_of({}), mib);
  EXPECT_EQ(alignment_of({mib, mib / 4, 2 * mib}), 128 << 10);  // the gap before the first counts
}

/// Objects laid end to end behind one byte, every gap counted.
std::int64_t gaps_by_hand(const std::vector<std::int64_t>& sizes, const Alignment& alignment) {
  std::int64_t end = 1;
  std::int64_t gaps = 0;
  for (const std::int64_t size : sizes) {
    if (size >= alignment.threshold) {
      while (end % alignment.bytes != 0) {
        ++end;
        ++gaps;
      }
    }
    end += size;
  }
  return gaps;
}

TEST(Alignment, PaddingIsTheSumOfTheGaps) {
  const std::vector<std::int64_t> sizes = {5, 64, 63, 1, 200, 64, 64, 0, 129, 7};
  for (const std::int64_t bytes : {1, 2, 16, 64, 512}) {
    for (const std::int64_t threshold : {0, 1, 64, 1000}) {
      const Alignment alignment{bytes, threshold};
      EXPECT_EQ(padding_of(sizes, alignment), gaps_by_hand(sizes, alignment))
          << bytes << " from " << threshold;
    }
  }
}

TEST(Alignment, AnExplicitOneThatPadsTooMuchIsRefusedUnlessAllowed) {
  StorageOptions options;
  options.alignment = 4096;
  const std::vector<std::int64_t> small = {4097, 4097, 4097};  // almost as much padding as data
  const auto refused = resolve_alignment(options, small);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("storage.alignment = 4096"));
  options.allow_padding = true;
  EXPECT_EQ(resolve_alignment(options, small)->bytes, 4096);
  options.allow_padding = false;
  options.alignment_threshold = 5000;  // none is as large
  EXPECT_EQ(resolve_alignment(options, small)->threshold, 5000);
}

}  // namespace
}  // namespace shardmark
