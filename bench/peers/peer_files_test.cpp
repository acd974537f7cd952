// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t block = 64 << 10;

class PeerFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "peer-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

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

  std::string folder_;
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
