// SPDX-License-Identifier: Apache-2.0
// Raw file work: space, holes, cached pages, chunks hashed where they lie.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/page_residency.hpp"
#include "shardmark/storage/posix/space.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

constexpr std::int64_t page = 4096;

std::string make_file(const TemporaryDirectory& directory, std::span<const std::byte> bytes) {
  const std::string path = directory.path() + "/file";
  const auto file = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
  EXPECT_TRUE(write_at(*file, path, bytes, 0));
  return path;
}

TEST(File, ShortFilesAndMissingOnesAreTold) {
  const TemporaryDirectory directory;
  const std::vector<std::byte> ten(10, std::byte{7});
  const std::string path = make_file(directory, ten);
  const auto file = open_file(path, O_RDONLY);
  std::vector<std::byte> bytes(4);
  EXPECT_TRUE(read_at(*file, path, bytes, 6));
  const Status ends = read_at(*file, path, bytes, 7);
  ASSERT_FALSE(ends);
  EXPECT_EQ(ends.error().code, ErrorCode::data_loss);
  EXPECT_THAT(ends.error().message, HasSubstr("ends at byte 10"));
  EXPECT_FALSE(write_at(*file, path, bytes, 0)) << "opened for reading only";
  EXPECT_EQ(open_file(path + "x", O_RDONLY).error().code, ErrorCode::not_found);
  EXPECT_EQ(*file_size(path), 10);
  EXPECT_EQ(read_small_file(path, 10)->size(), 10U);
  EXPECT_FALSE(read_small_file(path, 9));
}

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
  const auto reserved = reserve_space(path, 3 * page + 5);
  ASSERT_TRUE(reserved) << reserved.error().message;
  if (*reserved) {
    EXPECT_EQ(*file_size(path), 3 * page + 5);
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
  const auto reserved = reserve_space(path, 2 * page, 6 * page);
  ASSERT_TRUE(reserved) << reserved.error().message;
  if (!*reserved) {
    GTEST_SKIP() << "this file system cannot reserve space";
  }
  EXPECT_EQ(*file_size(path), 2 * page);
  EXPECT_GE(blocks(), 8 * page);
  ASSERT_TRUE(release_reserve(path));
  EXPECT_EQ(*file_size(path), 2 * page);
  EXPECT_LT(blocks(), 8 * page);
}

/// A reserved file of eight pages of which some were written.
std::string file_with_pages(const TemporaryDirectory& directory, std::span<const int> pages) {
  const std::string path = make_file(directory, {});
  EXPECT_TRUE(reserve_space(path, 8 * page));
  EXPECT_EQ(::truncate(path.c_str(), 8 * page), 0);
  const auto file = open_file(path, O_RDWR);
  const std::vector<std::byte> bytes(page, std::byte{1});
  for (const int p : pages) {
    EXPECT_TRUE(write_at(*file, path, bytes, p * page));
  }
  EXPECT_TRUE(fsync_path(path));
  return path;
}

TEST(Space, FindsPagesThatNobodyWrote) {
  const TemporaryDirectory directory;
  const std::string path = file_with_pages(directory, std::array{0, 1, 2, 4, 5});
  const auto detects = can_detect_holes(path, 6 * page + 1);
  ASSERT_TRUE(detects);
  if (!*detects) {
    GTEST_SKIP() << "this file system does not tell unwritten pages from zeros";
  }
  EXPECT_FALSE(*can_detect_holes(path, 4 * page));
  const auto first_lost = [&](std::initializer_list<std::pair<std::int64_t, std::int64_t>> list) {
    std::vector<FileRange> ranges;
    for (const auto& [offset, num_bytes] : list) {
      ranges.push_back({path, offset, num_bytes});
    }
    const Status status = check_no_holes(path, ranges);
    return status ? std::string("none") : status.error().message;
  };
  EXPECT_EQ(first_lost({}), "none");
  EXPECT_EQ(first_lost({{0, 3 * page}}), "none");
  EXPECT_EQ(first_lost({{0, 3 * page}, {4 * page, 2 * page}}), "none") << "page 3 is padding";
  EXPECT_EQ(first_lost({{0, 10}, {3 * page, 0}, {5 * page, page}}), "none");
  EXPECT_THAT(first_lost({{0, 3 * page + 1}}), HasSubstr("from 12288 on"));
  EXPECT_THAT(first_lost({{0, page}, {3 * page + 100, 8}}), HasSubstr("from 12388 on"));
  EXPECT_THAT(first_lost({{4 * page, 2 * page}, {7 * page, 3}}), HasSubstr("from 28672 on"));
  EXPECT_THAT(first_lost({{0, page}, {page, 6 * page}}), HasSubstr("from 12288 on"));
}

TEST(Space, FindsAHolePunchedIntoWrittenPages) {
  const TemporaryDirectory directory;
  const std::string path = file_with_pages(directory, std::array{0, 1, 2, 3, 4, 5, 6});
  if (!*can_detect_holes(path, 7 * page)) {
    GTEST_SKIP() << "this file system does not tell unwritten pages from zeros";
  }
  const std::vector<FileRange> ranges = {{path, 0, 7 * page}};
  ASSERT_TRUE(check_no_holes(path, ranges));
  const auto file = open_file(path, O_RDWR);
  if (::fallocate(file->get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * page, page) != 0) {
    GTEST_SKIP() << "this file system punches no holes";
  }
  const Status lost = check_no_holes(path, ranges);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::io_error);
  EXPECT_THAT(lost.error().message, HasSubstr("from 8192 on"));
}

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

/// The elements of a box, row after row, by index arithmetic alone.
std::vector<std::byte> elements_of(std::span<const std::byte> tensor, std::int64_t itemsize,
                                   const Dims& sizes, const Box& box) {
  std::vector<std::byte> elements;
  const int last = sizes.ndim() - 1;
  const std::int64_t row = last < 0 ? 1 : box.sizes[last];
  for (std::int64_t i = 0; i < box.num_elements() / row; ++i) {
    std::int64_t rest = i;
    std::int64_t linear = last < 0 ? 0 : box.offsets[last];
    std::int64_t stride = last < 0 ? 1 : sizes[last];
    for (int d = last - 1; d >= 0; --d) {
      linear += (box.offsets[d] + rest % box.sizes[d]) * stride;
      rest /= box.sizes[d];
      stride *= sizes[d];
    }
    const auto run = tensor.subspan(static_cast<std::size_t>(linear * itemsize),
                                    static_cast<std::size_t>(row * itemsize));
    elements.insert(elements.end(), run.begin(), run.end());
  }
  return elements;
}

TEST(StoredChunk, HashesEveryBoxAsTheBytesSay) {
  RandomSource random;
  const TemporaryDirectory directory;
  const auto bytes = random.bytes(40'000);
  const std::string path = make_file(directory, bytes);
  const auto file = open_file(path, O_RDONLY);
  StoredChunkHasher hasher;
  for (int round = 0; round < 300; ++round) {
    const Dims sizes = random.sizes(static_cast<int>(random.number(5)), 1, 8);
    const std::int64_t itemsize = std::int64_t{1} << random.number(3);
    const std::int64_t address = random.number(40'000 - 4096 * itemsize + 1);
    for (const Box& box : random.tiling(sizes, 3)) {
      const auto elements = elements_of(std::span(bytes).subspan(static_cast<std::size_t>(address)),
                                        itemsize, sizes, box);
      const auto hash = hasher.hash(*file, path, {0, address, Dims::filled(sizes.ndim(), 0), sizes},
                                    itemsize, box);
      ASSERT_TRUE(hash);
      ASSERT_EQ(*hash, xxh3(elements));
    }
  }
  EXPECT_EQ(hasher.hash(*file, path, {0, 39'999, {0}, {2}}, 4, whole_box({2})).error().code,
            ErrorCode::data_loss);
}

TEST(StoredChunk, HashesRowsFurtherApartThanAWindowAndRowsLongerThanOne) {
  RandomSource random;
  const TemporaryDirectory directory;
  // 96 KiB between rows: more than the gap that is read over. 5 MiB in one row: more than a window.
  const Dims sizes{110, 96 << 10};
  const auto bytes = random.bytes(static_cast<std::size_t>(volume(sizes)));
  const std::string path = make_file(directory, bytes);
  const auto file = open_file(path, O_RDONLY);
  StoredChunkHasher hasher;
  for (const Box& box : {Box{{0, 77}, {110, 3}}, Box{{3, 10}, {90, 60 << 10}},
                         Box{{20, 0}, {85, 96 << 10}}, Box{{109, 0}, {1, 96 << 10}}}) {
    const auto hash =
        hasher.hash(*file, path, {0, 0, Dims::filled(sizes.ndim(), 0), sizes}, 1, box);
    ASSERT_TRUE(hash);
    EXPECT_EQ(*hash, xxh3(elements_of(bytes, 1, sizes, box))) << to_string(box);
  }
}

TEST(StructureHash, IsOfEverythingButElements) {
  RandomSource random;
  const TemporaryDirectory directory;
  auto bytes = random.bytes(3'000'000);
  const std::string path = make_file(directory, bytes);
  Manifest manifest;
  manifest.entries.entries = {{"b", EntryKind::tensor, Dtype::float32, {250'000}, 0, 1},
                              {"empty", EntryKind::tensor, Dtype::float32, {0}, 1, 0},
                              {"step", EntryKind::object, Dtype::uint8, {100}, 1, 1}};
  manifest.locations = {{0, 1'900'000}, {0, -1}, {0, 500}};
  std::vector<std::byte> rest(bytes.begin(), bytes.begin() + 500);
  rest.insert(rest.end(), bytes.begin() + 600, bytes.begin() + 1'900'000);
  rest.insert(rest.end(), bytes.begin() + 2'900'000, bytes.end());
  const auto hash = structure_hash(path, manifest);
  ASSERT_TRUE(hash);
  EXPECT_EQ(*hash, xxh3(rest));
  const auto hash_with_flip_at = [&](std::size_t at) {
    auto flipped = bytes;
    flipped[at] ^= std::byte{1};
    make_file(directory, flipped);
    return *structure_hash(path, manifest);
  };
  for (const std::size_t inside : {500U, 599U, 1'900'000U, 2'899'999U}) {
    EXPECT_EQ(hash_with_flip_at(inside), *hash) << inside;
  }
  for (const std::size_t outside : {0U, 499U, 600U, 1'899'999U, 2'900'000U, 2'999'999U}) {
    EXPECT_NE(hash_with_flip_at(outside), *hash) << outside;
  }
}

}  // namespace
}  // namespace shardmark
