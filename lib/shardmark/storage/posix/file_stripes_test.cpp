// SPDX-License-Identifier: Apache-2.0
// What file systems say of stripes; those that have none refuse them by the key's name.
#include "shardmark/storage/posix/file_stripes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

constexpr std::uint64_t gpfs = 0x47504653;
constexpr std::uint64_t ext4 = 0xEF53;

TEST(FileStripes, OfALocalFolderThereAreNone) {
  const TemporaryDirectory directory;
  const auto striping = striping_of(directory.path());
  ASSERT_TRUE(striping.has_value());
  EXPECT_TRUE(striping->components.empty());
  EXPECT_TRUE(striping_of("/nowhere/at/all")->components.empty());
}

TEST(FileStripes, OfGpfsTheBlockCounts) {
  EXPECT_EQ(striping_of_blocks(gpfs, 8 << 20).components,
            (std::vector<StripeComponent>{{0, INT64_MAX, 8 << 20, 0}}));
  EXPECT_TRUE(striping_of_blocks(gpfs, 4096).components.empty());
  EXPECT_TRUE(striping_of_blocks(ext4, 8 << 20).components.empty());
}

TEST(FileStripes, WhereThereAreNoneTheyCannotBeAskedFor) {
  const TemporaryDirectory directory;
  for (const auto& ask : {check_can_set_stripes, set_stripes}) {
    EXPECT_TRUE(ask(directory.path(), 0, 0));
    const Status size = ask(directory.path(), 1 << 20, 0);
    ASSERT_FALSE(size);
    EXPECT_EQ(size.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(size.error().message, HasSubstr("storage.stripe_size = 1048576: the file system"));
    const Status count = ask(directory.path(), 0, all_stripes);
    ASSERT_FALSE(count);
    EXPECT_THAT(count.error().message, HasSubstr("storage.stripe_count = -1"));
  }
}

}  // namespace
}  // namespace shardmark
