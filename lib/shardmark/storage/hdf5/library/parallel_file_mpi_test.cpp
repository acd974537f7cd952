// SPDX-License-Identifier: Apache-2.0
// A file that one rank cannot open: all say so, and none waits for it.
#include "shardmark/storage/hdf5/library/parallel_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;

TEST(ParallelFile, ThatOneRankCannotOpenIsNobodys) {
  const TemporaryDirectory directory;  // each rank has one of its own
  const std::string path = directory.path() + "/checkpoint.h5";
  const int failing = world().size() - 1;
  if (world().rank() != failing) {
    std::ofstream(path) << "nothing of HDF5's is read";
  }
  for (const IoMode io : {IoMode::collective, IoMode::independent}) {
    for (const auto access : {ParallelFile::Access::read, ParallelFile::Access::read_write}) {
      const auto file = ParallelFile::open(path, access, io, {}, world());
      ASSERT_FALSE(file);
      EXPECT_EQ(file.error().rank, failing);
      EXPECT_EQ(file.error().code, ErrorCode::not_found);
    }
  }
}

}  // namespace
}  // namespace shardmark
