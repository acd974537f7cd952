// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/inspect.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::file_contents;
using shardmark::testing::make_file;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

/// Saved by the last version that wrote format version 1, in two groups.
const std::string golden = SHARDMARK_SOURCE_DIR "/lib/shardmark/testing/golden/version_1";

std::string copy_of_golden(const TemporaryDirectory& directory) {
  std::filesystem::copy(golden, directory.path(), std::filesystem::copy_options::recursive);
  return directory.path() + "/step-00000003/";
}

void flip(const std::string& path, std::int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 1));
}

TEST(Inspect, VersionOneIsReadAndVerified) {
  const auto summary = inspect_checkpoint(golden, {});
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->manifest.version, 1U);
  EXPECT_EQ(summary->manifest.step, 3);
  ASSERT_EQ(summary->files.size(), 3U);
  EXPECT_TRUE(summary->files[0].outside_hash);
  EXPECT_FALSE(summary->files[1].outside_hash) << "version 1 knows nothing of data files";
  const auto verified = verify_checkpoint(*summary);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_TRUE(verified->has_checksums);
  EXPECT_TRUE(verified->errors.empty());
}

TEST(Inspect, DamageOfVersionOneIsFound) {
  const TemporaryDirectory directory;
  const std::string step = copy_of_golden(directory);
  const auto good = inspect_checkpoint(directory.path(), {});
  ASSERT_TRUE(good);
  const auto elements = element_ranges(good->manifest);
  ASSERT_FALSE(elements[1].empty());
  flip(step + good->files[1].path, elements[1].front().first);
  const auto verified = verify_checkpoint(*good);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->errors.size(), 1U);
  const auto outside =
      ranges_outside(entry_file_elements(good->manifest), good->files.front().num_bytes);
  flip(step + good->files.front().path, outside.front().first + 9);
  const auto damaged = inspect_checkpoint(directory.path(), {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::data_loss);
}

/// A checkpoint of two files, made here: tensor "a" of ten bytes in two chunks, the second in the
/// data file behind seven bytes that are nobody's.
class TwoFiles {
 public:
  explicit TwoFiles(const TemporaryDirectory& directory) : directory_(directory) {
    manifest.save_id = "0123456789abcdef0123456789abcdef";
    manifest.step = 4;
    manifest.world_size = 1;
    manifest.files = {raw_entry_file_name, "rank-00000.raw"};
    manifest.entries.entries = {{"a", EntryKind::tensor, Dtype::int8, {10}, 0, 2}};
    EntryLocation apart;
    apart.stored_as = StoredAs::separate;
    manifest.locations = {apart};
    manifest.chunk_locations = {{0, 0}, {1, 7}};
    manifest.checksums_address = 6;
  }

  /// Local. Chunks of the given bounds, and their checksums, as a save would have written them.
  void commit(std::int64_t first_end, std::int64_t second_begin) {
    manifest.chunks.append({{0}, {first_end}});
    manifest.chunks.append({{second_begin}, {10 - second_begin}});
    std::filesystem::create_directories(path(""));
    std::vector<std::byte> entry_file(6, std::byte{1});
    const std::vector<std::byte> data_file(17, std::byte{2});
    for (const std::uint64_t checksum :
         {xxh3(std::span(entry_file).first(static_cast<std::size_t>(first_end))),
          xxh3(std::span(data_file).subspan(7, static_cast<std::size_t>(10 - second_begin)))}) {
      const auto* bytes = reinterpret_cast<const std::byte*>(&checksum);
      entry_file.insert(entry_file.end(), bytes, bytes + 8);
    }
    const auto stored = encode(manifest);
    CommitRecord record;
    record.save_id = manifest.save_id;
    record.step = manifest.step;
    record.manifest_address = static_cast<std::int64_t>(entry_file.size());
    record.manifest_bytes = static_cast<std::int64_t>(stored.size());
    entry_file.insert(entry_file.end(), stored.begin(), stored.end());
    const auto elements = element_ranges(manifest);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& bytes = i == 0 ? entry_file : data_file;
      make_file(directory_, bytes, "step-00000004/" + manifest.files[i]);
      record.files.push_back(
          {manifest.files[i], static_cast<std::int64_t>(bytes.size()),
           *hash_outside(path(manifest.files[i]), elements[i], ReadFrom::cache)});
    }
    std::ofstream(path(commit_file_name)) << to_text(record);
  }

  std::string path(const std::string& file) const {
    return directory_.path() + "/step-00000004/" + file;
  }

  Manifest manifest;

 private:
  const TemporaryDirectory& directory_;
};

TEST(Inspect, ABitOfADataFileOutsideItsElementsIsFound) {
  const TemporaryDirectory directory;
  TwoFiles files(directory);
  files.commit(6, 6);
  const auto summary = inspect_checkpoint(directory.path(), {});
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_TRUE(verify_checkpoint(*summary)->errors.empty());
  for (const std::int64_t outside : {0, 6, 11, 16}) {
    flip(files.path("rank-00000.raw"), outside);
    const auto verified = verify_checkpoint(*summary);
    ASSERT_TRUE(verified);
    ASSERT_EQ(verified->errors.size(), 1U) << outside;
    EXPECT_THAT(verified->errors.front().message, HasSubstr("rank-00000.raw"));
    flip(files.path("rank-00000.raw"), outside);
  }
  EXPECT_TRUE(verify_checkpoint(*summary)->errors.empty());
}

TEST(Inspect, WithoutChecksumsNothingIsVerified) {
  const TemporaryDirectory directory;
  TwoFiles files(directory);
  files.manifest.checksum = ChecksumKind::none;
  files.manifest.checksums_address = -1;
  files.commit(6, 6);
  flip(files.path("rank-00000.raw"), 8);
  const auto summary = inspect_checkpoint(directory.path(), {});
  ASSERT_TRUE(summary) << summary.error().message;
  const auto verified = verify_checkpoint(*summary);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->errors.empty());
  EXPECT_FALSE(verified->has_checksums);
}

TEST(Inspect, ChunksMustCoverTheirTensorOnce) {
  for (const auto& [first_end, second_begin, word] :
       {std::tuple(5, 6, "no chunk"), std::tuple(6, 5, "more than one chunk")}) {
    const TemporaryDirectory directory;
    TwoFiles files(directory);
    files.commit(first_end, second_begin);
    const auto summary = inspect_checkpoint(directory.path(), {});
    ASSERT_FALSE(summary) << word;
    EXPECT_EQ(summary.error().code, ErrorCode::data_loss);
    EXPECT_THAT(summary.error().message, HasSubstr("'a'"));
    EXPECT_THAT(summary.error().message, HasSubstr(word));
  }
}

}  // namespace
}  // namespace shardmark
