// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

TEST_F(ConfigTest, NoTomlIsAnErrorWithItsPlace) {
  EXPECT_THAT(message(base("[model]\nname = \n"), ErrorCode::invalid_argument),
              HasSubstr("t.toml:2:8: not valid TOML: "));
  EXPECT_THAT(message(base("[run]\nkeep = 1\nkeep = 2\n"), ErrorCode::invalid_argument),
              HasSubstr(":3:"));
}

}  // namespace
}  // namespace shardmark::bench
