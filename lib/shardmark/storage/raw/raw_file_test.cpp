// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::file_contents;
using shardmark::testing::make_file;
using shardmark::testing::TemporaryDirectory;

TEST(RawFile, MemoryFileSystemsTakeODirectAndAreFoundOut) {
  const std::string path = fmt::format("/dev/shm/shardmark-raw-file-{}", ::getpid());
  std::ofstream(path) << std::string(8192, 'x');
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no /dev/shm here";
  }
  const auto file = RawFile::open(path, RawFile::Access::write, true);
  ASSERT_TRUE(file);
  if (file->o_direct()) {
    const StagingPiece staging;
    ASSERT_TRUE(file->write({staging.data(), 8192}, 0, true));
  }
  EXPECT_FALSE(file->o_direct());
  EXPECT_NE(file->o_direct_reason(), "");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace shardmark
