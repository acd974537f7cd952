// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file_system.hpp"
#include "shardmark/storage/posix/page_residency.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

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
  const ElementRanges elements = entry_file_elements(manifest);
  const auto hash = hash_outside(path, elements, ReadFrom::cache);
  ASSERT_TRUE(hash);
  EXPECT_EQ(*hash, xxh3(rest));
  const auto hash_with_flip_at = [&](std::size_t at) {
    auto flipped = bytes;
    flipped[at] ^= std::byte{1};
    make_file(directory, flipped);
    return *hash_outside(path, elements, ReadFrom::cache);
  };
  for (const std::size_t inside : {500U, 599U, 1'900'000U, 2'899'999U}) {
    EXPECT_EQ(hash_with_flip_at(inside), *hash) << inside;
  }
  for (const std::size_t outside : {0U, 499U, 600U, 1'899'999U, 2'900'000U, 2'999'999U}) {
    EXPECT_NE(hash_with_flip_at(outside), *hash) << outside;
  }
}

TEST(StructureHash, OfStorageIsTheSameAndLeavesNoPageBehind) {
  RandomSource random;
  const TemporaryDirectory directory;
  const auto bytes = random.bytes(200'000);
  const std::string path = make_file(directory, bytes);
  const ElementRanges elements = {{100'000, 50'000}, {4096, 8192}};
  const auto cached = hash_outside(path, elements, ReadFrom::cache);
  const auto stored = hash_outside(path, elements, ReadFrom::storage);
  ASSERT_TRUE(cached);
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(*stored, *cached);
  const FileRange all{path, 0, 200'000};
  const auto residency = page_residency({&all, 1});
  ASSERT_TRUE(residency);
  if (file_system_kind(directory.path()).local && residency->resident_pages == residency->pages) {
    GTEST_SKIP() << "this file system keeps its pages in memory";
  }
  EXPECT_EQ(residency->resident_pages, 0);
}

TEST(StructureHash, EveryFileHasItsOwnElements) {
  Manifest manifest;
  manifest.files = {"checkpoint.h5", "group-00000.h5", "group-00001.h5"};
  manifest.entries.entries = {{"a", EntryKind::tensor, Dtype::float32, {6}, 0, 2},
                              {"b", EntryKind::tensor, Dtype::int8, {4, 4}, 2, 1},
                              {"c", EntryKind::object, Dtype::uint8, {9}, 3, 1}};
  for (const auto& [offsets, sizes] :
       {std::pair(Dims{0}, Dims{4}), std::pair(Dims{4}, Dims{2}), std::pair(Dims{0, 0}, Dims{4, 4}),
        std::pair(Dims{0}, Dims{9})}) {
    manifest.chunks.append({offsets, sizes});
  }
  EntryLocation apart;
  apart.stored_as = StoredAs::separate;
  manifest.locations = {apart, apart, {0, 70}};
  manifest.locations[1].first_chunk_location = 2;
  manifest.chunk_locations = {{1, 100}, {2, 200}, {2, 300}};
  const auto ranges = element_ranges(manifest);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0], (ElementRanges{{70, 9}}));
  EXPECT_EQ(ranges[1], (ElementRanges{{100, 16}}));
  EXPECT_EQ(ranges[2], (ElementRanges{{200, 8}, {300, 16}}));
  EXPECT_EQ(entry_file_elements(manifest), ranges[0]);
  const std::vector<std::pair<std::int64_t, std::int64_t>> expected = {
      {0, 200}, {208, 300}, {316, 400}};
  EXPECT_EQ(ranges_outside({{300, 16}, {200, 8}}, 400), expected);
}

}  // namespace
}  // namespace shardmark
