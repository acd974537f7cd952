// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/page_residency.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::TemporaryDirectory;

constexpr std::int64_t page = 4096;

TEST(PageResidency, DroppedPagesAreGoneAndReadOnesAreBack) {
  const TemporaryDirectory directory;
  const std::vector<std::byte> bytes(16 * page, std::byte{3});
  const std::string path = make_file(directory, bytes);
  const std::vector<FileRange> ranges = {{path, 0, 4 * page}, {path, 8 * page + 1, 2 * page}};
  ASSERT_TRUE(drop_cached_pages(ranges));
  const auto cold = page_residency(ranges);
  ASSERT_TRUE(cold);
  EXPECT_EQ(cold->pages, 4 + 3);
  if (cold->resident_pages != 0) {
    GTEST_SKIP() << "this file system keeps its pages in memory";
  }
  const auto file = open_file(path, O_RDONLY);
  ASSERT_EQ(::posix_fadvise(file->get(), 0, 0, POSIX_FADV_RANDOM), 0);  // no read-ahead
  std::vector<std::byte> got(2 * page);
  ASSERT_TRUE(read_at(*file, path, got, 0));
  EXPECT_EQ(page_residency(ranges)->resident_pages, 2);
  got.resize(16 * page);
  ASSERT_TRUE(read_at(*file, path, got, 0));
  EXPECT_EQ(page_residency(ranges)->resident_pages, 7);
  EXPECT_FALSE(page_residency(std::vector<FileRange>{{path + "x", 0, 1}}));
  EXPECT_EQ(page_residency(std::vector<FileRange>{{path, 5, 0}})->pages, 0);
}

/// Rows of a shard, ranges longer than what is asked for at once, and a step back.
TEST(PageResidency, OfManyRangesIsThatOfEachByItself) {
  const TemporaryDirectory directory;
  constexpr std::int64_t size = 40'000 * page + 17;
  const std::string path =
      make_file(directory, std::vector<std::byte>(static_cast<std::size_t>(size), std::byte{1}));
  ASSERT_TRUE(drop_cached_pages(std::vector<FileRange>{{path, 0, size}}));
  const auto file = open_file(path, O_RDONLY);
  ASSERT_EQ(::posix_fadvise(file->get(), 0, 0, POSIX_FADV_RANDOM), 0);
  std::vector<std::byte> got(1);
  std::vector<FileRange> ranges = {{path, 5, size - 5}, {path, 0, 1}};
  for (std::int64_t at = 3; at < size; at += 11 * page / 2) {
    ranges.push_back({path, at, std::min<std::int64_t>(page, size - at)});
    if (at % 7 == 0) {
      ASSERT_TRUE(read_at(*file, path, got, at));
    }
  }
  const auto by_itself = [&] {
    Residency each;
    for (const FileRange& range : ranges) {
      const auto one = page_residency({&range, 1});
      EXPECT_TRUE(one);
      each.pages += one->pages;
      each.resident_pages += one->resident_pages;
    }
    return each;
  };
  // Nothing is read, so no page comes; but the kernel takes some back meanwhile, and moves others,
  // which then seem gone for a moment.
  Residency before;
  Residency all;
  Residency after;
  for (int tries = 0; tries < 20; ++tries) {
    before = by_itself();
    const auto counted = page_residency(ranges);
    ASSERT_TRUE(counted);
    all = *counted;
    after = by_itself();
    if (after.resident_pages <= all.resident_pages && all.resident_pages <= before.resident_pages) {
      break;
    }
  }
  EXPECT_EQ(all.pages, before.pages);
  EXPECT_LE(all.resident_pages, before.resident_pages);
  EXPECT_GE(all.resident_pages, after.resident_pages);
  EXPECT_GT(all.resident_pages, 0);
}

}  // namespace
}  // namespace shardmark
