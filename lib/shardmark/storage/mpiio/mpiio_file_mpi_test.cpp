// SPDX-License-Identifier: Apache-2.0
// A file that one rank cannot open: all say so, and none waits for it.
#include "shardmark/storage/mpiio/mpiio_file.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <string>

#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;

TEST(MpiioFile, ThatOneRankCannotOpenIsNobodys) {
  const TemporaryDirectory directory;  // each rank has one of its own
  const std::string path = directory.path() + "/file";
  const int failing = world().size() - 1;
  if (world().rank() != failing) {
    std::ofstream(path) << "elements";
  }
  for (const auto access : {MpiioFile::Access::read, MpiioFile::Access::write}) {
    const auto file = MpiioFile::open(path, access, {}, world());
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().rank, failing);
    EXPECT_EQ(file.error().code, ErrorCode::not_found);
    EXPECT_EQ(world().rank() == failing, file.error().message.find(path) != std::string::npos);
  }
}

TEST(MpiioFile, HoldsWhatEachRankHasWritten) {
  const TemporaryDirectory directory(world());
  const std::string path = directory.path() + "/file";
  if (world().is_root()) {
    std::ofstream(path).flush();
  }
  world().barrier();
  const auto own = static_cast<std::byte>(world().rank() + 1);
  auto written = MpiioFile::open(path, MpiioFile::Access::write, {}, world());
  ASSERT_TRUE(written);
  EXPECT_TRUE(written->write(std::array{own}, world().rank()));
  EXPECT_TRUE(written->sync());
  EXPECT_TRUE(written->close());
  auto read = MpiioFile::open(path, MpiioFile::Access::read, {}, world());
  ASSERT_TRUE(read);
  for (int rank = 0; rank < world().size(); ++rank) {
    std::array<std::byte, 1> found{};
    EXPECT_TRUE(read->read(found, rank));
    EXPECT_EQ(found.front(), static_cast<std::byte>(rank + 1));
  }
  EXPECT_TRUE(read->close());
}

}  // namespace
}  // namespace shardmark
