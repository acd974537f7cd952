// SPDX-License-Identifier: Apache-2.0
// Who writes which small_block, against a byte-by-byte account.
#include "shardmark/storage/exchange/regions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t small_block = 8;

std::vector<ByteRange> ranges_of_letter(const std::string& bytes, char wanted) {
  std::vector<ByteRange> ranges;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == wanted) {
      const auto at = static_cast<std::int64_t>(i);
      ranges.push_back({at, at + 1});
    }
  }
  return merged(std::move(ranges));
}

void paint_ranges(std::string& bytes, std::span<const ByteRange> ranges, char with) {
  for (const ByteRange& range : ranges) {
    std::fill(bytes.begin() + range.begin, bytes.begin() + range.end, with);
  }
}

TEST(Regions, OfStripes) {
  EXPECT_EQ(region_bytes_for(0), 16 << 20);
  EXPECT_EQ(region_bytes_for(1 << 20), 4 << 20);
  EXPECT_EQ(region_bytes_for(3 << 20), 6 << 20);
  EXPECT_EQ(region_bytes_for(4 << 20), 4 << 20);
  EXPECT_EQ(region_bytes_for(64 << 20), 64 << 20);
}

TEST(Regions, RangesAreCutAsBytesAre) {
  RandomSource random;
  for (int round = 0; round < 500; ++round) {
    std::string a(60, '.');
    std::string b(60, '.');
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = random.number(2) == 0 ? '.' : 'x';
      b[i] = random.number(3) == 0 ? 'x' : '.';
    }
    std::string left = a;
    paint_ranges(left, ranges_of_letter(b, 'x'), '.');
    EXPECT_EQ(subtract(ranges_of_letter(a, 'x'), ranges_of_letter(b, 'x')),
              ranges_of_letter(left, 'x'));
    const ByteRange window{random.number(30), 30 + random.number(30)};
    std::string inside(60, '.');
    for (std::int64_t i = window.begin; i < window.end; ++i) {
      inside[static_cast<std::size_t>(i)] = a[static_cast<std::size_t>(i)];
    }
    EXPECT_EQ(merged(intersect(ranges_of_letter(a, 'x'), window)), ranges_of_letter(inside, 'x'));
  }
}

// Elements e, the keeper's own bytes k, unused ones as they are, and a file that may end anywhere.
TEST(Regions, EveryBlockHasOneWriterAndEveryByteIsSomebodys) {
  RandomSource random;
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    const std::int64_t pieces = random.number(12);
    for (std::int64_t i = 0; i < pieces; ++i) {
      bytes.append(static_cast<std::size_t>(random.number(30)), "ek."[random.number(3)]);
    }
    const auto size = static_cast<std::int64_t>(bytes.size());
    const ExchangedFile file = make_exchanged_file(3, size, 1, ranges_of_letter(bytes, 'e'),
                                                   ranges_of_letter(bytes, 'k'), small_block);

    const auto last = bytes.rfind('e');
    const auto elements = last == std::string::npos ? 0 : static_cast<std::int64_t>(last) + 1;
    ASSERT_GE(file.num_bytes, elements);
    ASSERT_LE(file.num_bytes, size);
    ASSERT_LT(file.num_bytes - elements, small_block);
    std::string written(bytes.size(), '-');
    // What regions write: whole blocks without a byte of the keeper, zeros where there is no
    // element.
    const ByteRange all{0, file.num_bytes};
    for (const ByteRange& range : subtract({&all, 1}, file.kept)) {
      EXPECT_EQ(range.begin % small_block, 0);
      EXPECT_EQ(range.end % small_block, 0);
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const auto at = static_cast<std::size_t>(i);
        EXPECT_NE(bytes[at], 'k') << bytes << " at " << i;
        written[at] = 'e';
      }
    }
    paint_ranges(written, file.gaps(), '.');
    paint_ranges(written, file.kept_elements(), 'e');
    for (std::size_t i = 0; i < static_cast<std::size_t>(file.num_bytes); ++i) {
      if (bytes[i] == 'e') {
        EXPECT_EQ(written[i], 'e') << bytes << " at " << i;
      } else {
        EXPECT_NE(written[i], 'e') << bytes << " at " << i;
      }
    }
  }
}

TEST(Regions, AreDealtInTurnAcrossFiles) {
  std::vector<ExchangedFile> files(2);
  files[0] = make_exchanged_file(0, 100, 0, {{0, 100}}, {{0, 5}}, small_block);
  files[1] = make_exchanged_file(4, 64, 1, {{8, 40}}, {}, small_block);
  const auto regions = cut_into_regions(files, 32, 3);
  ASSERT_EQ(regions.size(), 6U);
  std::vector<ByteRange> bytes;
  std::vector<int> writers;
  std::vector<bool> kept;
  for (const Region& region : regions) {
    bytes.push_back(region.bytes);
    writers.push_back(region.writer);
    kept.push_back(region.has_kept);
  }
  EXPECT_THAT(bytes, ElementsAre(ByteRange{0, 32}, ByteRange{32, 64}, ByteRange{64, 96},
                                 ByteRange{96, 100}, ByteRange{0, 32}, ByteRange{32, 40}));
  EXPECT_THAT(writers, ElementsAre(0, 1, 2, 0, 1, 2));
  EXPECT_THAT(kept, ElementsAre(true, false, false, true, false, false));
  EXPECT_THAT(cut_into_regions({}, 32, 3), IsEmpty());
}

TEST(Regions, TravelAndLies) {
  std::vector<ExchangedFile> files;
  files.push_back(
      make_exchanged_file(0, 1000, 2, {{5, 100}, {333, 555}}, {{120, 140}}, small_block));
  files.push_back(make_exchanged_file(7, 0, 0, {}, {}, small_block));
  const std::vector<std::byte> bytes = encode(files);
  const auto again = decode_exchanged_files(bytes, 3);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  ASSERT_EQ(again->size(), 2U);
  EXPECT_EQ((*again)[0].outside, files[0].outside);
  EXPECT_EQ((*again)[0].kept, files[0].kept);
  EXPECT_EQ((*again)[0].num_bytes, files[0].num_bytes);
  EXPECT_EQ((*again)[0].keeper, 2);
  EXPECT_EQ((*again)[1].file, 7U);
  EXPECT_FALSE(decode_exchanged_files(bytes, 2).has_value()) << "a keeper that is no rank";
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_exchanged_files(std::span(bytes).first(length), 3).has_value());
  }
  // Whatever the bytes say, no range leaves its file.
  RandomSource random;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::byte> lies = bytes;
    lies[static_cast<std::size_t>(random.number(static_cast<std::int64_t>(lies.size())))] =
        static_cast<std::byte>(random.number(256));
    const auto believed = decode_exchanged_files(lies, 3);
    for (const ExchangedFile& file : believed ? *believed : std::vector<ExchangedFile>()) {
      for (const auto& ranges : {file.outside, file.kept}) {
        std::int64_t at = 0;
        for (const ByteRange& range : ranges) {
          EXPECT_LE(at, range.begin);
          EXPECT_LE(range.begin, range.end);
          EXPECT_LE(range.end, file.num_bytes);
          at = range.end;
        }
      }
    }
  }
}

}  // namespace
}  // namespace shardmark
