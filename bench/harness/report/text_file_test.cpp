// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <string>

#include "bench/harness/report/text_file.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

TEST(TextFile, IsReplacedWholeOrNotAtAll) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/a.json";
  ASSERT_TRUE(replace_text_file(path, "one"));
  ASSERT_TRUE(replace_text_file(path, "two"));
  EXPECT_EQ(std::filesystem::file_size(path), 3U);
  const auto failed = replace_text_file(directory.path() + "/missing/a.json", "three");
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("missing/a.json"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);

  EXPECT_TRUE(make_directory(directory.path() + "/new", "--out"));
  EXPECT_TRUE(make_directory(directory.path() + "/new", "--out"));
  EXPECT_EQ(make_directory(directory.path() + "/no/new", "--out").error().code,
            ErrorCode::not_found);
  EXPECT_EQ(make_directory(path, "--out").error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace shardmark::bench
