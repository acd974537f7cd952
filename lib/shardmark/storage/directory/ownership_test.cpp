// SPDX-License-Identifier: Apache-2.0
// One owner of a folder at a time.
#include "shardmark/storage/directory/ownership.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

TEST(Ownership, IsTakenOnceAndGoesWithItsHolder) {
  const shardmark::testing::TemporaryDirectory directory;
  auto first = Ownership::take(directory.path());
  ASSERT_TRUE(first) << first.error().message;
  const auto second = Ownership::take(directory.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::already_exists);
  EXPECT_GE((*first)->descriptor(), 0);
  (*first)->release();
  EXPECT_EQ((*first)->descriptor(), -1);
  EXPECT_TRUE(Ownership::take(directory.path()));
  EXPECT_TRUE(std::filesystem::exists(directory.path() + "/" + owner_file_name));
}

TEST(Ownership, OfAFolderThatASweeperTookIsNotFound) {
  const shardmark::testing::TemporaryDirectory directory;
  const auto taken = Ownership::take(directory.path() + "/gone");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace shardmark
