// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>

#include "bench/config/byte_size.hpp"
#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

TEST(ByteSize, UnitsAreBinaryAndOverflowIsRefused) {
  EXPECT_EQ(parse_byte_size("0"), 0);
  EXPECT_EQ(parse_byte_size("17"), 17);
  EXPECT_EQ(parse_byte_size("17B"), 17);
  EXPECT_EQ(parse_byte_size("64KiB"), 65536);
  EXPECT_EQ(parse_byte_size("3 MiB"), 3145728);
  EXPECT_EQ(parse_byte_size("2GiB"), 2147483648);
  EXPECT_EQ(parse_byte_size("1TiB"), 1099511627776);
  EXPECT_EQ(parse_byte_size("8388607TiB"), 9223370937343148032);
  for (const char* bad : {"", "KiB", "-1", "+1", "1.5MiB", "1KB", "1kib", "8388608TiB", "1 ", " 1",
                          "9223372036854775808", "1  KiB"}) {
    EXPECT_EQ(parse_byte_size(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace shardmark::bench
