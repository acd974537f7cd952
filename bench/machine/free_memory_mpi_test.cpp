// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include "bench/machine/free_memory.hpp"
#include "bench/machine/memory_usage.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/status");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_status_bytes(text, "VmRSS").value_or(0);
}

TEST(FreeMemory, IsTouchedOnlyWhereItGoesBackAndNoneIsKept) {
  constexpr std::int64_t num_bytes = std::int64_t{16} << 20;
  const bool goes_back = world().rank() % 2 == 0;  // nodes of different kinds
  const FreeMemory memory(NodeTopology::discover(world()), world(), goes_back);
  const std::int64_t before = resident_bytes();
  const PeakMemoryWatch watch;
  memory.touch(num_bytes);
  const auto peak = watch.peak_bytes();
  if (!peak) {
    GTEST_SKIP() << "this kernel does not tell the peak of memory";
  }
  EXPECT_EQ(*peak >= num_bytes, goes_back) << *peak;
  EXPECT_LT(resident_bytes() - before, num_bytes);
}

}  // namespace
}  // namespace shardmark::bench
