// SPDX-License-Identifier: Apache-2.0
// Names of choices lead back to them; numbers that lie in files stay.
#include "shardmark/storage/format/storage_options.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace shardmark {
namespace {

TEST(StorageOptions, NamesLeadBackToWhatTheyName) {
  std::set<std::string_view> names;
  for (const BackendTraits& traits : backend_table()) {
    EXPECT_TRUE(names.insert(traits.name).second) << traits.name;
    EXPECT_EQ(backend_from_name(backend_name(traits.backend)), traits.backend);
    EXPECT_EQ(&traits_of(traits.backend), &traits);
  }
  for (int number = 0; number <= static_cast<int>(FileLayout::automatic); ++number) {
    const auto layout = static_cast<FileLayout>(number);
    EXPECT_EQ(file_layout_from_name(file_layout_name(layout)), layout);
  }
  EXPECT_EQ(file_layout_name(FileLayout::per_rank), "per-rank");
  EXPECT_EQ(file_layout_name(FileLayout::per_node), "per-node");
  EXPECT_EQ(io_mode_name(IoMode::independent), "independent");
  EXPECT_EQ(checksum_mode_name(ChecksumMode::read), "read");
  for (const IoMode mode : {IoMode::collective, IoMode::independent, IoMode::direct}) {
    EXPECT_EQ(io_mode_from_name(io_mode_name(mode)), mode);
  }
  for (const ChecksumMode mode : {ChecksumMode::full, ChecksumMode::read, ChecksumMode::none}) {
    EXPECT_EQ(checksum_mode_from_name(checksum_mode_name(mode)), mode);
  }
  EXPECT_FALSE(backend_from_name("hdf"));
  EXPECT_FALSE(file_layout_from_name(""));
  EXPECT_FALSE(io_mode_from_name("Direct"));
}

TEST(StorageOptions, NumbersOfLayoutsAreThoseOfCheckpointsThatWereWritten) {
  EXPECT_EQ(static_cast<int>(FileLayout::shared), 0);
  EXPECT_EQ(static_cast<int>(FileLayout::shared_chunked), 1);
  EXPECT_EQ(static_cast<int>(FileLayout::per_rank), 2);
  EXPECT_EQ(static_cast<int>(FileLayout::per_node), 3);
  EXPECT_EQ(static_cast<int>(FileLayout::groups), 4);
  EXPECT_EQ(static_cast<int>(FileLayout::packed), 5);
  EXPECT_EQ(static_cast<int>(ChecksumKind::none), 0);
  EXPECT_EQ(static_cast<int>(ChecksumKind::xxh3), 1);
}

}  // namespace
}  // namespace shardmark
