// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/file_survey.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;
using ::testing::ElementsAre;

/// On rank 0, of an entry file of `bytes` with one tensor of 5,000 bytes at its begin.
ExchangedFile surveyed(const TemporaryDirectory& directory, std::span<const std::byte> bytes,
                       std::int64_t laid_out_bytes = -1) {
  Manifest manifest;
  manifest.entries.entries = {{"a", EntryKind::tensor, Dtype::uint8, {5000}, 0, 1}};
  manifest.locations = {{0, 0}};
  PlacedFiles placed;
  placed.paths = {make_file(directory, bytes)};
  placed.laid_out_bytes = laid_out_bytes;
  auto files = survey_files(placed, manifest, world());
  EXPECT_TRUE(files);
  EXPECT_EQ(files->size(), world().is_root() ? 1U : 0U);
  return files && !files->empty() ? files->front() : ExchangedFile();
}

// Whole blocks are written: the last element's too.
TEST(FileSurvey, KeepsWhatLiesBehindTheLastElementInItsBlock) {
  const TemporaryDirectory directory;
  std::vector<std::byte> bytes(12288);
  const ExchangedFile empty = surveyed(directory, bytes);
  bytes[8191] = std::byte{1};
  const ExchangedFile used = surveyed(directory, bytes);
  bytes[8191] = std::byte{0};
  bytes[8192] = std::byte{1};
  const ExchangedFile behind = surveyed(directory, bytes);
  if (world().is_root()) {
    EXPECT_EQ(empty.num_bytes, 8192);
    EXPECT_TRUE(empty.kept.empty());
    EXPECT_THAT(used.kept, ElementsAre(ByteRange{4096, 8192}));
    EXPECT_TRUE(behind.kept.empty());
  }
}

// HDF5 writes its later headers first, and those from 5,000 on have not come yet.
TEST(FileSurvey, LooksAtNothingThatComesWhileItLooks) {
  const TemporaryDirectory directory;
  std::vector<std::byte> bytes(24576);
  bytes[20000] = std::byte{1};
  const ExchangedFile growing = surveyed(directory, bytes, 5000);
  if (world().is_root()) {
    EXPECT_EQ(growing.num_bytes, 5000);
    EXPECT_THAT(growing.kept, ElementsAre(ByteRange{4096, 5000}));
  }
}

}  // namespace
}  // namespace shardmark
