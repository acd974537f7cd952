// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>

#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {
namespace {

TEST(TextWrap, BreaksBetweenWordsOnly) {
  EXPECT_EQ(wrapped("one two  three", std::nullopt), "one two  three");
  EXPECT_EQ(wrapped("one two  three", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two\nthree four", 9, 2), "one two\nthree\n  four");
  EXPECT_EQ(wrapped("incomprehensibilities a", 5, 2), "incomprehensibilities\n  a");
  EXPECT_EQ(wrapped("\033[1mone\033[0m two", 7), "\033[1mone\033[0m two");
  EXPECT_EQ(wrapped("", 10), "");
  EXPECT_EQ(wrapped("a b\n", 1), "a\nb\n");
}

}  // namespace
}  // namespace shardmark::bench
