// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/text/human_units.hpp"
#include "bench/text/table.hpp"

namespace shardmark::bench {
namespace {

TEST(HumanUnits, KeepThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(10239), "10.0 KiB");
  EXPECT_EQ(format_bytes(1048575), "1.00 MiB");
  EXPECT_EQ(format_bytes(536870912), "512 MiB");
  EXPECT_EQ(format_bytes(std::int64_t{16} << 40), "16.0 TiB");
  EXPECT_EQ(format_rate(1.5 * 1024 * 1024 * 1024), "1.50 GiB/s");
  EXPECT_EQ(format_seconds(1.434), "1.43 s");
  EXPECT_EQ(format_seconds(0.0123), "12.3 ms");
  EXPECT_EQ(format_seconds(350e-6), "350 us");
  EXPECT_EQ(format_seconds(0.99999), "1.00 s");
  EXPECT_EQ(format_seconds(4e-12), "0.00400 ns");
  EXPECT_EQ(format_seconds(0), "0 s");
  EXPECT_EQ(format_seconds(123), "123 s");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(-1000), "-1,000");
  EXPECT_EQ(format_count(8030261248), "8,030,261,248");
}

TEST(HumanUnits, AColumnHasOneUnitAndEveryTimeThreeDigits) {
  const auto column = [](std::vector<double> seconds) {
    const TimeUnit unit = common_unit(seconds);
    std::string text;
    for (const double each : seconds) {
      text += (text.empty() ? "" : " | ") + format_seconds(each, unit);
    }
    return text;
  };
  EXPECT_EQ(column({1.64, 12e-6}), "1640 ms | 0.0120 ms");
  EXPECT_EQ(column({0.5, 0.25, 0}), "500 ms | 250 ms | 0 ms");
  EXPECT_EQ(column({1.5, 12}), "1.50 s | 12.0 s");
  EXPECT_EQ(column({}), "");
  EXPECT_EQ(three_digits(0.09996), "0.100");
  EXPECT_EQ(three_digits(9.996), "10.0");
  EXPECT_EQ(three_digits(0), "0.00");
}

}  // namespace
}  // namespace shardmark::bench
