// SPDX-License-Identifier: Apache-2.0
// What a file system lacks is told once.
#include "shardmark/storage/posix/notices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shardmark {
namespace {

TEST(Notices, EachIsKeptOnceAndHandedOutOnce) {
  static_cast<void>(take_new_notices());  // of tests before this one
  add_notice("this test lacks sense");
  add_notice("this test lacks sense");
  add_notice("and wit");
  EXPECT_THAT(take_new_notices(), ::testing::ElementsAre("this test lacks sense", "and wit"));
  add_notice("and wit");
  EXPECT_TRUE(take_new_notices().empty());
  EXPECT_THAT(all_notices(), ::testing::Contains("and wit"));
}

}  // namespace
}  // namespace shardmark
