// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <mpi.h>

#include "bench/machine/mpi_io.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;

/// Open MPI 4 takes the level that its variables are asked with for that of all of MPI.
TEST(MpiIo, AskedForLeavesThreadsWhatTheyMayDo) {
  int before = 0;
  MPI_Query_thread(&before);
  ASSERT_EQ(before, MPI_THREAD_MULTIPLE);
  const TemporaryDirectory directory;
  EXPECT_FALSE(mpi_io_of(directory.path(), {}).component.empty());
  int after = 0;
  MPI_Query_thread(&after);
  EXPECT_EQ(after, before) << "rank " << world().rank();
}

}  // namespace
}  // namespace shardmark::bench
