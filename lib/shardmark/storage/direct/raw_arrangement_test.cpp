// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/raw_arrangement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace shardmark {
namespace {

using ::testing::ElementsAre;

Manifest three_chunks() {
  Manifest manifest;
  manifest.entries.entries.push_back({.fqn = "t",
                                      .kind = EntryKind::tensor,
                                      .dtype = Dtype::float32,
                                      .sizes = {6},
                                      .first_chunk = 0,
                                      .num_chunks = 3});
  for (const std::int64_t offset : {0, 2, 4}) {
    manifest.chunks.append({{offset}, {2}});
  }
  return manifest;
}

constexpr std::array<std::int64_t, 2> rank_bytes = {16, 8};
constexpr std::array<std::int32_t, 3> owners = {0, 1, 0};

TEST(RawArrangement, AFileARankAndOneForChecksumsAndManifest) {
  const RawArrangement posix = arrange_raw_files(Backend::posix, rank_bytes, 3, 4096);
  EXPECT_THAT(posix.files, ElementsAre("checkpoint.raw", "rank-00000.raw", "rank-00001.raw"));
  EXPECT_EQ(posix.layout, FileLayout::per_rank);
  EXPECT_EQ(posix.checksums_address, 0);
  EXPECT_EQ(posix.entry_file_bytes, 24);
  Manifest manifest = three_chunks();
  describe_places(posix, owners, manifest);
  ASSERT_EQ(manifest.chunk_locations.size(), 3U);
  EXPECT_EQ(manifest.chunk_locations[1].file, 2U);
  EXPECT_EQ(manifest.chunk_locations[1].address, 0);
  EXPECT_EQ(manifest.chunk_locations[2].file, 1U);
  EXPECT_EQ(manifest.chunk_locations[2].address, 8) << "behind the rank's first chunk";
}

TEST(RawArrangement, OneFileWithEachRankInBlocksOfItsOwn) {
  for (const Backend backend : {Backend::posix_shared, Backend::mpiio}) {
    const RawArrangement shared = arrange_raw_files(backend, rank_bytes, 0, 65536);
    EXPECT_THAT(shared.files, ElementsAre("checkpoint.raw"));
    EXPECT_EQ(shared.layout, FileLayout::shared);
    EXPECT_EQ(shared.checksums_address, -1);
    EXPECT_EQ(shared.entry_file_bytes, 2 * 65536);
    Manifest manifest = three_chunks();
    describe_places(shared, owners, manifest);
    EXPECT_EQ(manifest.chunk_locations[1].file, 0U);
    EXPECT_EQ(manifest.chunk_locations[1].address, 65536);
  }
}

}  // namespace
}  // namespace shardmark
