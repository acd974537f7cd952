// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "shardmark/core/nearest_name.hpp"

namespace shardmark {
namespace {

TEST(NearestName, CountsEditsAndForgivesFew) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("abcd", "abdc"), 1U);  // a swap
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);     // swapped letters are not edited again
  constexpr std::array<std::string_view, 3> known = {"ddp", "fsdp", "zero1"};
  EXPECT_EQ(nearest_name("dpd", known), "ddp");
  EXPECT_EQ(nearest_name("fsp", known), "fsdp");
  EXPECT_EQ(nearest_name("megatron", known), "");
  EXPECT_EQ(did_you_mean("zero", known), "; did you mean 'zero1'?");
  EXPECT_EQ(did_you_mean("x", known), "");
}

}  // namespace
}  // namespace shardmark
