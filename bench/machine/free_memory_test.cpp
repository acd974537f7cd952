// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "bench/machine/free_memory.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

/// The kernel's folder of virtio devices, with one of this kind and these features.
class VirtioDevices {
 public:
  VirtioDevices(const std::string& kind, const std::string& features) {
    const std::string device = directory_.path() + "/virtio0";
    std::filesystem::create_directory(device);
    std::ofstream(device + "/device") << kind << "\n";
    std::ofstream(device + "/features") << features << "\n";
  }
  const std::string& path() const { return directory_.path(); }

 private:
  testing::TemporaryDirectory directory_;
};

TEST(FreeMemory, GoesBackWhereABalloonReportsFreePages) {
  EXPECT_TRUE(gives_free_memory_back(VirtioDevices("0x0005", "0110010100").path()));
  EXPECT_FALSE(gives_free_memory_back(VirtioDevices("0x0005", "0110000100").path()));
  EXPECT_FALSE(gives_free_memory_back(VirtioDevices("0x0005", "01100").path()));
  EXPECT_FALSE(gives_free_memory_back(VirtioDevices("0x0002", "0110010100").path()));
  EXPECT_FALSE(gives_free_memory_back("/no/such/folder"));
}

}  // namespace
}  // namespace shardmark::bench
