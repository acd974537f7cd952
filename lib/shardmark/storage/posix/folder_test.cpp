// SPDX-License-Identifier: Apache-2.0
// Folders as the kernel lists them, and links that are none.
#include "shardmark/storage/posix/folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

TEST(Folder, ListsNamesInOrderHiddenOnesToo) {
  const shardmark::testing::TemporaryDirectory directory;
  for (const char* name : {"b", ".a", "c"}) {
    std::ofstream(directory.path() + "/" + name) << name;
  }
  const auto names = list_folder(directory.path());
  ASSERT_TRUE(names) << names.error().message;
  EXPECT_THAT(*names, ::testing::ElementsAre(".a", "b", "c"));
  EXPECT_EQ(list_folder(directory.path() + "/none").error().code, ErrorCode::not_found);
  EXPECT_EQ(list_folder(directory.path() + "/b").error().code, ErrorCode::not_found) << "a file";
}

TEST(Folder, ALinkToAFolderIsNone) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string link = directory.path() + "/link";
  std::filesystem::create_directory_symlink(directory.path(), link);
  EXPECT_TRUE(is_real_folder(directory.path()));
  EXPECT_FALSE(is_real_folder(link));
  EXPECT_FALSE(is_real_folder(directory.path() + "/none"));
}

TEST(Folder, SizesAreOfFilesBelowAndOfLinksThemselves) {
  const shardmark::testing::TemporaryDirectory directory;
  std::filesystem::create_directories(directory.path() + "/a/b");
  std::ofstream(directory.path() + "/a/b/file") << std::string(1000, 'x');
  std::ofstream(directory.path() + "/other") << "12345";
  const FolderSize size = folder_size(directory.path());
  EXPECT_EQ(size.files, 2);
  EXPECT_EQ(size.num_bytes, 1005);
  EXPECT_EQ(folder_size(directory.path() + "/other").num_bytes, 5);
  EXPECT_TRUE(fsync_folder(directory.path()));
  EXPECT_FALSE(fsync_folder(directory.path() + "/none"));
}

}  // namespace
}  // namespace shardmark
