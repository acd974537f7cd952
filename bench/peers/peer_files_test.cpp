// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t block = 64 << 10;

class PeerFilesTest : public ::testing::Test {
 protected:
  /// A file of `length` bytes, the first `written` of which hold something.
  std::string make(const std::string& name, std::int64_t length, std::int64_t written,
                   bool sync = true) {
    const std::string path = folder_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    const int file = ::open(path.c_str(), O_CREAT | O_RDWR, 0600);
    const std::vector<char> bytes(static_cast<std::size_t>(written), 'x');
    EXPECT_EQ(::pwrite(file, bytes.data(), bytes.size(), 0), written);
    EXPECT_EQ(::ftruncate(file, length), 0);
    if (sync) {
      EXPECT_EQ(::fsync(file), 0);
    }
    ::close(file);
    return path;
  }

  shardmark::testing::TemporaryDirectory directory_;
  std::string folder_ = directory_.path();
};

TEST_F(PeerFilesTest, CountsAllBelowButAnAdaptersOwn) {
  make("a", 2 * block, 2 * block);
  make("deep/.hidden", block, block);
  make(".peer-x/report", block, block);
  const auto files = files_below(folder_);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->paths.size(), 2U);
  EXPECT_EQ(files->num_bytes, 3 * block);
  EXPECT_EQ(files->data_bytes, 3 * block);
}

TEST_F(PeerFilesTest, TellsHolesFromBytes) {
  make("short", 4 * block, block);
  const auto files = files_below(folder_);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->num_bytes, 4 * block);
  EXPECT_EQ(files->data_bytes, block);
}

TEST_F(PeerFilesTest, TellsReservedSpaceFromBytes) {
  const std::string path = make("reserved", block, block);
  const int file = ::open(path.c_str(), O_RDWR);
  const int reserved = ::posix_fallocate(file, 0, 4 * block);
  EXPECT_EQ(::fsync(file), 0);
  ::close(file);
  if (reserved != 0) {
    GTEST_SKIP() << "no fallocate at " << folder_;
  }
  EXPECT_EQ(files_below(folder_)->data_bytes, block);
}

TEST_F(PeerFilesTest, SeesWhatIsNotSynced) {
  const std::string path = make("synced", block, block);
  const auto synced = unsynced_bytes(path);
  const auto unsynced = unsynced_bytes(make("unsynced", block, block, false));
  if (!synced || *unsynced == 0) {
    GTEST_SKIP() << "this kernel, or the file system of " << folder_ << ", does not tell";
  }
  EXPECT_EQ(*synced, 0);
  EXPECT_EQ(*unsynced, block);
}

TEST_F(PeerFilesTest, IsAnErrorOfNoFolder) {
  EXPECT_FALSE(files_below(folder_ + "/none"));
  EXPECT_EQ(unsynced_bytes(folder_ + "/none"), std::nullopt);
}

}  // namespace
}  // namespace shardmark::bench
