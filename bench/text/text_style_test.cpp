// SPDX-License-Identifier: Apache-2.0
#include "bench/text/text_style.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace shardmark::bench {
namespace {

TEST(TextStyle, AFileIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(terminal_of(file), "");
  EXPECT_FALSE(text_style(file).width);
  EXPECT_FALSE(text_style(file).colour);
  std::fclose(file);
}

}  // namespace
}  // namespace shardmark::bench
