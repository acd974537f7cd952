// SPDX-License-Identifier: Apache-2.0
// Limits of control groups as kernels write them, in folders made for the test.
#include "bench/machine/memory_room.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::TemporaryDirectory;
using ::testing::ElementsAre;

class MemoryRooms : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path full = root_.path() + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  /// As the file of a limit is named.
  std::string at(const std::string& path) const { return root_.path() + path; }
  std::vector<MemoryRoom> rooms() const { return memory_rooms(root_.path()); }

  const MemoryRoom node_{"MemAvailable of this node", std::int64_t{2000} << 10};

 private:
  TemporaryDirectory root_;
};

TEST_F(MemoryRooms, OfANodeWithoutGroups) {
  EXPECT_EQ(rooms().front().num_bytes, std::int64_t{1} << 30) << "nothing says how much";
  write("/proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    2000 kB\n");
  EXPECT_THAT(rooms(), ElementsAre(node_));
}

TEST_F(MemoryRooms, OfEveryGroupAboveInVersion2) {
  write("/proc/meminfo", "MemAvailable:    2000 kB\n");
  write("/proc/self/cgroup", "0::/job/step\n");
  const std::string group = "/sys/fs/cgroup/job";
  write(group + "/memory.max", "1000000\n");
  write(group + "/memory.current", "700000\n");
  write(group + "/memory.stat", "anon 100\nfile 9\ninactive_file 50000\nactive_file 4000\n");
  write(group + "/step/memory.max", "max\n");
  write(group + "/step/memory.current", "600000\n");
  EXPECT_THAT(rooms(), ElementsAre(node_, MemoryRoom{at(group + "/memory.max"), 354000}));
}

TEST_F(MemoryRooms, OfVersion1WhereTheGroupIsOutsideOfAContainer) {
  write("/proc/meminfo", "MemAvailable:    2000 kB\n");
  write("/proc/self/cgroup", "4:cpu,memory:/docker/0123\n3:cpuset:/\n0::/\n");
  const std::string mount = "/sys/fs/cgroup/memory";
  write(mount + "/memory.limit_in_bytes", "500000\n");
  write(mount + "/memory.usage_in_bytes", "600000\n");
  write(mount + "/memory.stat",
        "inactive_file 7\ntotal_inactive_file 20000\ntotal_active_file 1\n");
  EXPECT_THAT(rooms(), ElementsAre(node_, MemoryRoom{at(mount + "/memory.limit_in_bytes"), 0}));
  write(mount + "/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_THAT(rooms(), ElementsAre(node_)) << "no limit";
}

}  // namespace
}  // namespace shardmark::bench
