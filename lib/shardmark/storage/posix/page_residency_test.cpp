// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace shardmark
