// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <vector>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/space.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

constexpr std::int64_t block = 4096;

TEST(Space, AFileAboveTheProcessLimitIsRefusedBeforeItIsWritten) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit low = before;
  low.rlim_cur = 1 << 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  const Status fits = check_file_size_limit("f", 1 << 20);
  const Status above = check_file_size_limit("f", (1 << 20) + 1);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(fits);
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, ErrorCode::no_space);
  EXPECT_THAT(above.error().message, HasSubstr("RLIMIT_FSIZE"));
  EXPECT_TRUE(check_file_size_limit("f", INT64_MAX) || before.rlim_cur != RLIM_INFINITY);
}

TEST(Space, FreeSpaceIsAskedOfTheFileSystem) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(check_free_space(directory.path(), 1));
  const Status full = check_free_space(directory.path(), INT64_MAX);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::no_space);
  EXPECT_FALSE(check_free_space(directory.path() + "/absent", 1));
}

TEST(Space, ReservedSpaceIsThereAndOfTheRightLength) {
  const TemporaryDirectory directory;
  const std::string path = make_file(directory, {});
  const auto reserved = reserve_space(path, 3 * block + 5);
  ASSERT_TRUE(reserved) << reserved.error().message;
  if (*reserved) {
    EXPECT_EQ(*file_size(path), 3 * block + 5);
  }
}

TEST(Space, WhatIsToComeIsReservedBehindTheEndAndGivenBack) {
  const TemporaryDirectory directory;
  const std::string path = make_file(directory, {});
  const auto blocks = [&] {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return static_cast<std::int64_t>(info.st_blocks) * 512;
  };
  const auto reserved = reserve_space(path, 2 * block, 6 * block);
  ASSERT_TRUE(reserved) << reserved.error().message;
  if (!*reserved) {
    GTEST_SKIP() << "this file system cannot reserve space";
  }
  EXPECT_EQ(*file_size(path), 2 * block);
  EXPECT_GE(blocks(), 8 * block);
  ASSERT_TRUE(release_reserve(path));
  EXPECT_EQ(*file_size(path), 2 * block);
  EXPECT_LT(blocks(), 8 * block);
}

/// A reserved file of eight pages of which some were written.
std::string file_with_pages(const TemporaryDirectory& directory, std::span<const int> pages) {
  std::string path = make_file(directory, {});
  EXPECT_TRUE(reserve_space(path, 8 * block));
  EXPECT_EQ(::truncate(path.c_str(), 8 * block), 0);
  const auto file = open_file(path, O_RDWR);
  const std::vector<std::byte> bytes(block, std::byte{1});
  for (const int p : pages) {
    EXPECT_TRUE(write_at(*file, path, bytes, p * block));
  }
  EXPECT_TRUE(fsync_path(path));
  return path;
}

TEST(Space, FindsPagesThatNobodyWrote) {
  const TemporaryDirectory directory;
  const std::string path = file_with_pages(directory, std::array{0, 1, 2, 4, 5});
  const auto detects = can_detect_holes(path, 6 * block + 1);
  ASSERT_TRUE(detects);
  if (!*detects) {
    GTEST_SKIP() << "this file system does not tell unwritten pages from zeros";
  }
  EXPECT_FALSE(*can_detect_holes(path, 4 * block));
  const auto whole = [&](std::initializer_list<std::pair<std::int64_t, std::int64_t>> list) {
    std::vector<FileRange> ranges;
    for (const auto& [offset, num_bytes] : list) {
      ranges.push_back({path, offset, num_bytes});
    }
    const auto answer = is_without_holes(path, ranges);
    EXPECT_TRUE(answer);
    return *answer;
  };
  EXPECT_TRUE(whole({}));
  EXPECT_TRUE(whole({{0, 3 * block}}));
  EXPECT_TRUE(whole({{0, 3 * block}, {4 * block, 2 * block}})) << "page 3 is padding";
  EXPECT_TRUE(whole({{0, 10}, {3 * block, 0}, {5 * block, block}}));
  EXPECT_FALSE(whole({{0, 3 * block + 1}}));
  EXPECT_FALSE(whole({{0, block}, {3 * block + 100, 8}}));
  EXPECT_FALSE(whole({{4 * block, 2 * block}, {7 * block, 3}}));
  EXPECT_FALSE(whole({{0, block}, {block, 6 * block}}));
}

TEST(Space, FindsAHolePunchedIntoWrittenPages) {
  const TemporaryDirectory directory;
  const std::string path = file_with_pages(directory, std::array{0, 1, 2, 3, 4, 5, 6});
  if (!*can_detect_holes(path, 7 * block)) {
    GTEST_SKIP() << "this file system does not tell unwritten pages from zeros";
  }
  const std::vector<FileRange> ranges = {{path, 0, 7 * block}};
  ASSERT_TRUE(*is_without_holes(path, ranges));
  const auto file = open_file(path, O_RDWR);
  if (::fallocate(file->get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * block, block) != 0) {
    GTEST_SKIP() << "this file system punches no holes";
  }
  EXPECT_FALSE(*is_without_holes(path, ranges));
  std::filesystem::resize_file(path, static_cast<std::uintmax_t>(ranges.front().offset));
  EXPECT_FALSE(*is_without_holes(path, ranges)) << "all of it lies behind the end";
}

}  // namespace
}  // namespace shardmark
