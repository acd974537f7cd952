// SPDX-License-Identifier: Apache-2.0
// Saves and loads in which ranks write and read together.
#include <gtest/gtest.h>

#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::FilledState;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;

TEST(Exchange, WritesAndReadsEachByteOnce) {
  const TemporaryDirectory directory(world());
  const Dims mesh{world().size()};
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = 1;
  options.storage.io = IoMode::direct;
  options.storage.exchange = ExchangeLevel::node;
  options.storage.exchange_bytes = std::int64_t{2} << 20;  // slots of 1 MiB
  FilledState saved(world());
  // Rows of one column each: no rank has 4 KiB in a row.
  saved.add("columns", {3000, 509}, {Placement::shard(1)}, mesh);
  saved.add("replica", {1000, 100}, {Placement::replicate()}, mesh);
  saved.fill();
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  const bool together = world().size() > 1;
  EXPECT_EQ(report->counters.exchange, together ? "node" : "off");
  constexpr std::int64_t num_bytes = (3000 * 509 + 1000 * 100) * 4;
  EXPECT_EQ(report->num_bytes, num_bytes);
  // Regions of 1 MiB, and what shares a block with HDF5's own bytes.
  EXPECT_LE(world().all_reduce(report->write_requests, MPI_SUM),
            together ? 2 * (num_bytes >> 20) + 8 : INT64_MAX);
  FilledState loaded(world());
  loaded.add("columns", {3000, 509}, {Placement::strided_shard(1, 2)}, mesh);
  loaded.add("replica", {1000, 100}, {Placement::replicate()}, mesh);
  LoadOptions from;
  from.directory = options.directory;
  from.io = IoMode::direct;
  from.checksum = ChecksumMode::read;
  from.exchange = ExchangeLevel::node;
  const auto got = load(loaded.state, from, world());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(loaded.count_wrong(), 0);
  EXPECT_EQ(got->exchange, together ? "node" : "off");
  if (together) {
    const std::int64_t read = world().all_reduce(got->bytes_read, MPI_SUM);
    EXPECT_GE(read, num_bytes);
    EXPECT_LE(read, num_bytes + 4096);
    // Nobody reads a chunk of the columns whole; together they do.
    EXPECT_EQ(got->unverified_chunks, 0);
    EXPECT_EQ(got->verified_chunks, world().size() + 1);
  }
}

}  // namespace
}  // namespace shardmark
