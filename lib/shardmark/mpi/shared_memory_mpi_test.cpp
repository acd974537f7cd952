// SPDX-License-Identifier: Apache-2.0
// Memory and words that processes share, and the groups that may share them.
#include "shardmark/mpi/shared_memory.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/mpi/node_group.hpp"
#include "shardmark/mpi/shared_word.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark {
namespace {

using shardmark::testing::world;

TEST(SharedMemory, AllSeeWhatEachWrites) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  // Growing, shrinking and equal: memory that was given up is taken again.
  for (const std::int64_t num_bytes : {5'000, 1, 3'000'000, 3'000'000, 100}) {
    auto memory = SharedMemory::make(world(), num_bytes);
    ASSERT_TRUE(memory) << memory.error().message;
    const std::span<std::byte> bytes = memory->bytes();
    ASSERT_GE(bytes.size(), static_cast<std::size_t>(num_bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % page, 0U);
    const auto ranks = static_cast<std::size_t>(world().size());
    const auto count = static_cast<std::size_t>(num_bytes);
    for (auto at = static_cast<std::size_t>(world().rank()); at < count; at += ranks) {
      bytes[at] = static_cast<std::byte>(at % ranks + 1);
    }
    world().barrier();
    std::size_t wrong = 0;
    for (std::size_t at = 0; at < count; ++at) {
      wrong += bytes[at] == static_cast<std::byte>(at % ranks + 1) ? 0U : 1U;
    }
    EXPECT_EQ(wrong, 0U) << num_bytes;
    world().barrier();
  }
}

/// Of the mapping that begins at `address`, mapped by large pages; -1 where it is not found.
std::int64_t large_page_kib(const std::byte* address) {
  std::ifstream maps("/proc/self/smaps");
  const std::string begin = fmt::format("{:x}-", std::bit_cast<std::uintptr_t>(address));
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    found = found || line.starts_with(begin);
    constexpr std::string_view key = "ShmemPmdMapped:";
    if (found && line.starts_with(key)) {
      return std::stoll(line.substr(key.size()));
    }
  }
  return -1;
}

TEST(SharedMemory, HasLargePagesWhereTheKernelGrantsThem) {
  if (!SharedMemory::grants_large_pages()) {
    GTEST_SKIP() << "this kernel makes none";
  }
  using Pages = SharedMemory::Pages;
  // What had been made without, and what is made with them.
  const std::vector<std::pair<Pages, std::int64_t>> cases{
      {Pages::any, 6}, {Pages::any, 40}, {Pages::large, 60}};
  for (const auto& [before, mebibytes] : cases) {
    // Pages that somebody holds for a moment stay small, and memory can be in pieces for a while.
    std::int64_t found = 0;
    std::int64_t num_bytes = mebibytes << 20;
    for (int tries = 0; tries < 20 && found < num_bytes / 1024 / 2; ++tries) {
      num_bytes += 2 << 20;  // not what has been kept
      { const auto first = SharedMemory::make(world(), num_bytes, before); }
      auto memory = SharedMemory::make(world(), num_bytes, Pages::large);
      ASSERT_TRUE(memory) << memory.error().message;
      ASSERT_GE(memory->bytes().size(), static_cast<std::size_t>(num_bytes));
      world().barrier();
      std::fill(memory->bytes().begin(), memory->bytes().end(), std::byte{1});
      found = world().all_reduce(large_page_kib(memory->bytes().data()), MPI_MIN);
    }
    EXPECT_GE(found, num_bytes / 1024 / 2);
  }
}

TEST(SharedWord, ProcessesWaitForEachOtherAsleep) {
  auto memory = SharedMemory::make(world(), sizeof(SharedWord));
  ASSERT_TRUE(memory) << memory.error().message;
  if (world().is_root()) {
    new (memory->bytes().data()) SharedWord();
  }
  world().barrier();
  auto& word = *std::launder(reinterpret_cast<SharedWord*>(memory->bytes().data()));
  const auto ranks = static_cast<std::uint32_t>(world().size());
  constexpr std::uint32_t rounds = 300;
  for (std::uint32_t round = 1; round <= rounds; ++round) {
    if (word.add(1) == round * ranks) {
      word.wake();
    }
    for (std::uint32_t seen = word.load(); seen < round * ranks; seen = word.load()) {
      word.wait_change(seen, std::chrono::milliseconds(100));
    }
  }
  world().barrier();
  EXPECT_EQ(word.load(), rounds * ranks);
}

TEST(NodeGroup, PretendedNodesAreRanksInARow) {
  for (int ranks_a_node = 1; ranks_a_node <= 3; ++ranks_a_node) {
    ::setenv("SHARDMARK_PRETEND_RANKS_A_NODE", std::to_string(ranks_a_node).c_str(), 1);
    const auto group = NodeGroup::discover(world());
    ASSERT_TRUE(group);
    const int size = world().size();
    EXPECT_EQ(group->num_nodes(), (size + ranks_a_node - 1) / ranks_a_node);
    EXPECT_EQ(on_one_node(world()), group->num_nodes() == 1);
    std::vector<int> expected;
    for (int rank = 0; rank < size; ++rank) {
      expected.push_back(rank / ranks_a_node);
    }
    EXPECT_EQ(group->node_of_rank(), expected);
    EXPECT_EQ(group->node().rank(), world().rank() % ranks_a_node);
    EXPECT_EQ(group->node().size(),
              std::min(ranks_a_node, size - world().rank() / ranks_a_node * ranks_a_node));
  }
  ::unsetenv("SHARDMARK_PRETEND_RANKS_A_NODE");
  const auto alone = NodeGroup::each_rank(world());
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->num_nodes(), world().size());
  EXPECT_EQ(alone->node().size(), 1);
}

}  // namespace
}  // namespace shardmark
