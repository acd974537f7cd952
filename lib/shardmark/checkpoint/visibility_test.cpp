// SPDX-License-Identifier: Apache-2.0
// An observer that never sees a step: how long it looks, and what it says.
#include "shardmark/checkpoint/visibility.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(Visibility, WhatIsMissingIsLookedForAsLongAsPatienceLasts) {
  const TemporaryDirectory directory;
  const auto looks = wait_until_visible(directory.path(), 1, {}, {0.2, 0.01});
  ASSERT_FALSE(looks);
  EXPECT_EQ(looks.error().code, ErrorCode::io_error);
  EXPECT_THAT(looks.error().message,
              ContainsRegex("does not see it whole after (0\\.[2-9]|[1-9])"));
}

TEST(Visibility, StorageThatFailsAgainAndAgainEndsItSooner) {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory.path() + "/step-00000001/COMMIT");
  const auto looks = wait_until_visible(directory.path(), 1, {}, {1000, 0.05});
  ASSERT_FALSE(looks);
  EXPECT_EQ(looks.error().code, ErrorCode::io_error);
  EXPECT_THAT(looks.error().message, HasSubstr("step 1 is committed"));
}

}  // namespace
}  // namespace shardmark
