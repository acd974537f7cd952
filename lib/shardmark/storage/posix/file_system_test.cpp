// SPDX-License-Identifier: Apache-2.0
// What kind of file system a directory is in, and which cache its readers share.
#include "shardmark/storage/posix/file_system.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

TEST(FileSystem, OneIdentityForOneMountAnotherForAnother) {
  const shardmark::testing::TemporaryDirectory directory;
  const auto here = cache_identity(directory.path());
  ASSERT_TRUE(here) << here.error().message;
  EXPECT_EQ(cache_identity(directory.path() + "/.").value(), *here);
  EXPECT_NE(cache_identity("/proc").value(), *here);
  EXPECT_FALSE(cache_identity(directory.path() + "/none"));
}

TEST(FileSystem, WhatCannotBeAskedIsNotReliedOn) {
  const FileSystemKind kind = file_system_kind("/nowhere/at/all");
  EXPECT_FALSE(kind.local);
  EXPECT_FALSE(kind.knows_holes);
  EXPECT_FALSE(file_system_kind("/proc").local) << "keeps no files of ours";
  EXPECT_GE(sharing_block(), 4096);
  EXPECT_EQ(sharing_block() % ::sysconf(_SC_PAGESIZE), 0);
}

}  // namespace
}  // namespace shardmark
