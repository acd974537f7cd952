// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "bench/text/error_report.hpp"

namespace shardmark::bench {
namespace {

TEST(ErrorReport, HasSixLinesAtMost) {
  const Error error = {ErrorCode::data_loss, "1\n2\n3\n4\n5\n6\n7\n", 3};
  EXPECT_EQ(error_message(error, {}), "shardmark: error: rank 3: 1\n2\n3\n4\n5\n6\n");
  EXPECT_EQ(error_message({ErrorCode::not_found, "a\nb", -1}, {}), "shardmark: error: a\nb\n");
  EXPECT_EQ(error_message({ErrorCode::not_found, "", -1}, {}), "shardmark: error: \n");
  EXPECT_EQ(error_message({ErrorCode::not_found, "one two three", -1}, {22, false}),
            "shardmark: error: one\n  two three\n");
  EXPECT_EQ(error_message(error, {22, false}), error_message(error, {}));
  EXPECT_EQ(
      error_document({ErrorCode::data_loss, "m", 3}),
      "{\n  \"error\": {\n    \"code\": 1,\n    \"message\": \"m\",\n    \"rank\": 3\n  }\n}\n");
}

TEST(ErrorReport, WhatIsNoUtf8IsReplaced) {
  EXPECT_NE(error_document({ErrorCode::data_loss, "d\xff", -1}).find("d\xEF\xBF\xBD"),
            std::string::npos);
}

}  // namespace
}  // namespace shardmark::bench
