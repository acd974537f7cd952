// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "bench/cli/driven_command.hpp"

namespace shardmark::bench {

/// One message of at most six lines on stderr, nothing on stdout, the given code.
inline void expect_refusal(const Words& arguments, const std::string& part, int code = 2) {
  const Outcome outcome = shardmark(arguments);
  EXPECT_EQ(outcome.exit_code, code) << ::testing::PrintToString(arguments);
  EXPECT_THAT(outcome.out, ::testing::IsEmpty());
  std::string message = outcome.err;  // on one line
  for (std::size_t at = 0; (at = message.find("\n  ", at)) != std::string::npos;) {
    message.replace(at, 3, " ");
  }
  EXPECT_THAT(message, ::testing::AllOf(::testing::StartsWith("shardmark: error: "),
                                        ::testing::HasSubstr(part)));
  EXPECT_LE(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 6);
}

}  // namespace shardmark::bench
