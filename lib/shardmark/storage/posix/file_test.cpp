// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

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

TEST(File, OfItsNameOnlyUntilAnotherHasIt) {
  const TemporaryDirectory directory;
  const std::string path = make_file(directory, std::vector<std::byte>(1));
  const auto file = open_file(path, O_RDONLY);
  EXPECT_TRUE(is_still_there(*file, path));
  std::filesystem::rename(path, path + ".old");
  EXPECT_FALSE(is_still_there(*file, path));
  make_file(directory, std::vector<std::byte>(1));
  EXPECT_FALSE(is_still_there(*file, path));
  EXPECT_TRUE(is_still_there(*file, path + ".old"));
}

}  // namespace
}  // namespace shardmark
