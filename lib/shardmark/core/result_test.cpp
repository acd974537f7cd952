// SPDX-License-Identifier: Apache-2.0
// Exit codes follow the kind of failure; errors leave a function once and with their text.
#include "shardmark/core/result.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

namespace shardmark {
namespace {

constexpr ErrorCode all_codes[] = {
    ErrorCode::invalid_argument, ErrorCode::not_found, ErrorCode::already_exists,
    ErrorCode::unsupported,      ErrorCode::mismatch,  ErrorCode::data_loss,
    ErrorCode::io_error,         ErrorCode::no_space,  ErrorCode::internal};

TEST(Result, WhatTheCallerCanMendIsExitCode2) {
  std::set<std::string_view> names;
  for (const ErrorCode code : all_codes) {
    EXPECT_EQ(exit_code(code), code <= ErrorCode::mismatch ? 2 : 1) << error_code_name(code);
    EXPECT_TRUE(names.insert(error_code_name(code)).second) << error_code_name(code);
  }
}

Result<int> half(int number) {
  if (number % 2 != 0) {
    return Error{ErrorCode::invalid_argument, "odd"};
  }
  return number / 2;
}

Result<std::string> quarter_text(int number) {
  SHARDMARK_ASSIGN_OR_RETURN(const int once, half(number));
  SHARDMARK_ASSIGN_OR_RETURN(const int twice, half(once));
  SHARDMARK_RETURN_IF_ERROR(half(2 * twice));
  return std::to_string(twice);
}

TEST(Result, AnErrorLeavesWithItsText) {
  EXPECT_EQ(*quarter_text(12), "3");
  EXPECT_EQ(quarter_text(7).error(), (Error{ErrorCode::invalid_argument, "odd"}));
  EXPECT_EQ(quarter_text(6).error().message, "odd");
  EXPECT_TRUE(Status(half(4)));
  EXPECT_EQ(Status(half(5)).error().message, "odd");
}

}  // namespace
}  // namespace shardmark
