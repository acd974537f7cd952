// SPDX-License-Identifier: Apache-2.0
// Traits are named, set and shown by one table.
#include "shardmark/storage/format/file_system_traits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace shardmark {
namespace {

using ::testing::HasSubstr;

TEST(Traits, AreAssumedByName) {
  FileSystemTraits traits;
  EXPECT_TRUE(assume(traits, {{"coherent", "no"}, {"locks", "node"}, {"silent_limit_s", "5"}}));
  EXPECT_EQ(traits.coherent, Known::no);
  EXPECT_EQ(traits.locks, LockReach::node);
  EXPECT_EQ(traits.silent_limit_s, 5);
  const Status unknown = assume(traits, "coherence", "no");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'coherent'"));
  EXPECT_THAT(assume(traits, "coherent", "perhaps").error().message, HasSubstr("yes, no"));
  EXPECT_THAT(assume(traits, "locks", "yes").error().message, HasSubstr("everywhere"));
}

TEST(Traits, EveryOneThatIsShownCanBeAssumed) {
  FileSystemTraits traits;
  std::set<std::string> names;
  for (const auto& [name, value] : trait_values(traits)) {
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(assume(traits, name, value)) << name << " = " << value;
  }
  EXPECT_EQ(traits, FileSystemTraits{}) << "what is shown is what is set";
  EXPECT_TRUE(assume(traits, "fallocate", "true"));
  EXPECT_EQ(traits.fallocate, Known::yes);
  EXPECT_FALSE(assume(traits, "hole_grain", "-1"));
  EXPECT_FALSE(assume(traits, "silent_limit_s", "5 minutes"));
}

}  // namespace
}  // namespace shardmark
