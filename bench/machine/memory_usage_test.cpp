// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/machine/memory_usage.hpp"

namespace shardmark::bench {
namespace {

TEST(MemoryUsage, ReadsTheKernelsLines) {
  const std::string text = "Name:\tVmRSS\nVmHWM:\t  5120 kB\nVmRSS:\t 12 kB\n";
  EXPECT_EQ(parse_status_bytes(text, "VmHWM"), 5120 * 1024);
  EXPECT_EQ(parse_status_bytes(text, "VmRSS"), 12 * 1024);
  EXPECT_EQ(parse_status_bytes(text, "VmSwap"), std::nullopt);
  EXPECT_EQ(parse_status_bytes("VmHWM:\n12 kB", "VmHWM"), std::nullopt);
}

TEST(MemoryUsage, SeesMemoryThatWasFreedAgain) {
  constexpr std::size_t size = std::size_t{64} << 20;
  const PeakMemoryWatch watch;
  {
    const std::vector<char> touched(size, 'x');
    ASSERT_EQ(touched[size / 2], 'x');
  }
  const auto peak = watch.peak_bytes();
  if (!peak) {
    GTEST_SKIP() << "this kernel does not reset VmHWM";
  }
  EXPECT_GE(*peak, static_cast<std::int64_t>(size * 9 / 10));
}

}  // namespace
}  // namespace shardmark::bench
