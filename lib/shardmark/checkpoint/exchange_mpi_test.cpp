// SPDX-License-Identifier: Apache-2.0
// Saves and loads in which ranks write and read together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/mpi/shared_memory.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace {
std::atomic<bool> only_main_thread_may_call = false;
}  // namespace

/// As in a program that has called MPI_Init(), while only_main_thread_may_call.
extern "C" int MPI_Query_thread(int* provided) {
  const int code = PMPI_Query_thread(provided);
  *provided = only_main_thread_may_call ? MPI_THREAD_FUNNELED : *provided;
  return code;
}

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
  options.storage.layout = FileLayout::shared;
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
  constexpr std::int64_t num_bytes = std::int64_t{4} * (3000 * 509 + 1000 * 100);
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

/// So many ranks count as a node while this lives.
class PretendedNodes {
 public:
  explicit PretendedNodes(int ranks_a_node) {
    ::setenv("SHARDMARK_PRETEND_RANKS_A_NODE", std::to_string(ranks_a_node).c_str(), 1);
  }
  ~PretendedNodes() { ::unsetenv("SHARDMARK_PRETEND_RANKS_A_NODE"); }
};

struct LevelAndNodes {
  ExchangeLevel level;
  int ranks_a_node;
};

class ExchangeBetweenNodes : public ::testing::TestWithParam<LevelAndNodes> {
 protected:
  static void add(FilledState& state, bool transposed) {
    const Dims mesh{world().size()};
    state.add("rows", {1024, 1500}, {Placement::shard(transposed ? 1 : 0)}, mesh);
    state.add("columns", {3000, 509}, {Placement::shard(transposed ? 0 : 1)}, mesh);
    state.add("replica", {1000, 100}, {Placement::replicate()}, mesh);
    state.add("tiny", {3}, {Placement::shard(0)}, mesh);
    state.add("scalar", {}, {Placement::replicate()}, mesh);
  }
};

TEST_P(ExchangeBetweenNodes, EveryLayoutIsStoredAndLoadedRight) {
  const PretendedNodes nodes(GetParam().ranks_a_node);
  const bool one_node = GetParam().ranks_a_node >= world().size();
  const TemporaryDirectory directory(world());
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.storage.io = IoMode::direct;
  options.storage.exchange = GetParam().level;
  options.storage.groups = 2;
  options.storage.exchange_bytes = std::int64_t{4} << 20;
  for (const FileLayout layout : {FileLayout::shared, FileLayout::shared_chunked,
                                  FileLayout::packed, FileLayout::groups, FileLayout::per_node}) {
    options.step += 1;
    options.storage.layout = layout;
    FilledState saved(world());
    add(saved, false);
    saved.fill(static_cast<std::int32_t>(options.step));
    const auto report = save(saved.state, options, world());
    ASSERT_TRUE(report) << report.error().message;
    const bool alone = world().size() == 1;
    const bool as_node = one_node && GetParam().level == ExchangeLevel::world;
    EXPECT_EQ(report->counters.exchange,
              alone ? "off" : exchange_level_name(as_node ? ExchangeLevel::node : GetParam().level))
        << report->counters.exchange_why;
    for (const ExchangeLevel level : {ExchangeLevel::node, ExchangeLevel::world}) {
      FilledState loaded(world());
      add(loaded, level != ExchangeLevel::node);
      LoadOptions from;
      from.directory = options.directory;
      from.step = options.step;
      from.io = IoMode::direct;
      from.checksum = ChecksumMode::full;
      from.exchange = level;
      const auto got = load(loaded.state, from, world());
      ASSERT_TRUE(got) << got.error().message;
      EXPECT_EQ(loaded.count_wrong(static_cast<std::int32_t>(options.step)), 0);
      EXPECT_EQ(got->unverified_chunks, 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, ExchangeBetweenNodes,
                         ::testing::Values(LevelAndNodes{ExchangeLevel::edges, 2},
                                           LevelAndNodes{ExchangeLevel::node, 2},
                                           LevelAndNodes{ExchangeLevel::world, 1},
                                           LevelAndNodes{ExchangeLevel::world, 2}),
                         [](const auto& param) {
                           return std::string(exchange_level_name(param.param.level)) + "_" +
                                  std::to_string(param.param.ranks_a_node);
                         });

// Between nodes a thread sends and receives.
TEST(Exchange, IsDoneWithoutBetweenNodesWhereThreadsMayNotCallMpi) {
  const PretendedNodes nodes(1);
  const bool alone = world().size() == 1;
  const TemporaryDirectory directory(world());
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.storage.layout = FileLayout::shared;
  options.storage.io = IoMode::direct;
  FilledState saved(world());
  saved.add("columns", {1000, 1001}, {Placement::shard(1)}, Dims{world().size()});
  saved.fill();
  LoadOptions from;
  from.directory = options.directory;
  from.io = IoMode::direct;
  for (const bool threads_may : {false, true}) {
    only_main_thread_may_call = !threads_may;
    options.step += 1;
    options.storage.exchange = ExchangeLevel::automatic;
    const auto report = save(saved.state, options, world());
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->counters.exchange, alone || !threads_may ? "off" : "world");
    EXPECT_EQ(report->counters.exchange_why.find("MPI_Init") != std::string::npos,
              !alone && !threads_may);
    FilledState loaded(world());
    loaded.add("columns", {1000, 1001}, {Placement::replicate()}, Dims{world().size()});
    const auto got = load(loaded.state, from, world());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->exchange, alone || !threads_may ? "off" : "world");
    EXPECT_EQ(loaded.count_wrong(), 0);
    // Where it is asked for, or bytes would be lost without, no save.
    for (const auto& [level, coherence] : {std::pair(ExchangeLevel::world, Coherence::automatic),
                                           std::pair(ExchangeLevel::automatic, Coherence::no)}) {
      options.step += 1;
      options.storage.exchange = level;
      options.storage.coherence = coherence;
      const auto refused = save(saved.state, options, world());
      EXPECT_EQ(refused.has_value(), alone || threads_may);
      EXPECT_TRUE(refused || refused.error().code == ErrorCode::unsupported);
    }
    options.storage.coherence = Coherence::automatic;
  }
  only_main_thread_may_call = false;
}

// What all nodes want is read once in `world`, once a node in `node`.
TEST(Exchange, ReadsReplicasOnce) {
  const PretendedNodes nodes(1);
  const TemporaryDirectory directory(world());
  const Dims mesh{world().size()};
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = 1;
  options.storage.layout = FileLayout::shared;
  options.storage.io = IoMode::direct;
  FilledState saved(world());
  saved.add("replica", {1000, 1024}, {Placement::replicate()}, mesh);
  saved.fill();
  ASSERT_TRUE(save(saved.state, options, world()));
  constexpr std::int64_t num_bytes = std::int64_t{4} * 1000 * 1024;
  for (const ExchangeLevel level :
       {ExchangeLevel::automatic, ExchangeLevel::node, ExchangeLevel::world}) {
    FilledState loaded(world());
    loaded.add("replica", {1000, 1024}, {Placement::replicate()}, mesh);
    LoadOptions from;
    from.directory = options.directory;
    from.io = IoMode::direct;
    from.exchange = level;
    const auto got = load(loaded.state, from, world());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(loaded.count_wrong(), 0);
    const std::int64_t times = level == ExchangeLevel::node ? world().size() : 1;
    const std::int64_t read = world().all_reduce(got->bytes_read, MPI_SUM);
    EXPECT_GE(read, times * num_bytes);
    EXPECT_LE(read, times * (num_bytes + 4096));
    EXPECT_EQ(got->verified_chunks, 1);
  }
}

// Where files hold each rank's chunks end to end, and these are large, copies gain nothing.
TEST(Exchange, IsLeftAloneBySavesWhoseChunksLieApart) {
  const TemporaryDirectory directory(world());
  const Dims mesh{world().size()};
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.storage.io = IoMode::direct;
  options.storage.layout = FileLayout::groups;
  options.storage.groups = 1;
  for (const bool large : {true, false}) {
    options.step += 1;
    FilledState saved(world());
    saved.add("rows", {large ? 384 : 12, 1023}, {Placement::shard(0)}, mesh);
    saved.fill();
    const auto report = save(saved.state, options, world());
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->counters.exchange, large || world().size() == 1 ? "off" : "node")
        << report->counters.exchange_why;
  }
}

// Ranks read together what several want, and what each would get in small pieces.
TEST(Exchange, IsTakenByLoadsForWhatSeveralWantOrLiesInSmallPieces) {
  const TemporaryDirectory directory(world());
  const Dims mesh{world().size()};
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.storage.layout = FileLayout::shared;
  options.storage.io = IoMode::direct;
  const bool alone = world().size() == 1;
  struct Case {
    Placement placement;
    std::string level;
  };
  const std::vector<Case> cases{{Placement::shard(0), "off"},
                                {Placement::shard(1), alone ? "off" : "node"},
                                {Placement::replicate(), alone ? "off" : "node"}};
  for (const auto& [placement, level] : cases) {
    options.step += 1;
    FilledState saved(world());
    saved.add("matrix", {3000, 1023}, {placement}, mesh);
    saved.fill();
    ASSERT_TRUE(save(saved.state, options, world()));
    FilledState loaded(world());
    loaded.add("matrix", {3000, 1023}, {placement}, mesh);
    LoadOptions from;
    from.directory = options.directory;
    from.step = options.step;
    from.io = IoMode::direct;
    const auto got = load(loaded.state, from, world());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->exchange, level) << got->exchange_why;
    EXPECT_EQ(loaded.count_wrong(), 0);
  }
}

// Where nodes are not known to see each other's writes at once.
TEST(Exchange, IsNotToBeSwitchedOffWhereBytesMayBeLost) {
  const TemporaryDirectory directory(world());
  const Dims mesh{world().size()};
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = 1;
  options.storage.layout = FileLayout::shared;
  options.storage.io = IoMode::direct;
  options.storage.coherence = Coherence::no;
  FilledState saved(world());
  saved.add("rows", {1000, 1001}, {Placement::shard(0)}, mesh);
  saved.fill();
  options.storage.exchange = ExchangeLevel::off;
  const auto refused = save(saved.state, options, world());
  if (world().size() == 1) {
    EXPECT_TRUE(refused);
    return;
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("bytes may be lost"));
  options.storage.exchange = ExchangeLevel::automatic;
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_NE(report->counters.exchange, "off");
  options.step = 2;
  options.storage.coherence = Coherence::yes;
  options.storage.exchange = ExchangeLevel::off;
  EXPECT_TRUE(save(saved.state, options, world()));
}

}  // namespace
}  // namespace shardmark
