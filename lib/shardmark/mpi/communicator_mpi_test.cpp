// SPDX-License-Identifier: Apache-2.0
// What ranks tell each other, at any size.
#include "shardmark/mpi/communicator.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark {
namespace {

using shardmark::testing::world;

/// Bytes that depend on who sends and on their place.
std::vector<std::byte> message(std::size_t size, int sender) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] =
        static_cast<std::byte>((i * 131 + i / 256 + static_cast<std::size_t>(sender)) & 0xFF);
  }
  return bytes;
}

constexpr std::array<std::size_t, 5> sizes = {0, 1, 8, 4097, 9'000'001};

TEST(Communicator, AgreesOnTheLowestFailingRank) {
  const int size = world().size();
  for (int mask = 0; mask < 1 << size; ++mask) {
    Status local;
    if ((mask >> world().rank() & 1) != 0) {
      local = Error{world().rank() % 2 == 0 ? ErrorCode::no_space : ErrorCode::not_found,
                    fmt::format("disk of rank {}", world().rank())};
    }
    const Status agreed = world().agree(local);
    ASSERT_EQ(agreed.has_value(), mask == 0);
    if (mask != 0) {
      int lowest = 0;
      while ((mask >> lowest & 1) == 0) {
        ++lowest;
      }
      EXPECT_EQ(agreed.error().rank, lowest);
      EXPECT_EQ(agreed.error().message, fmt::format("disk of rank {}", lowest));
      EXPECT_EQ(agreed.error().code, lowest % 2 == 0 ? ErrorCode::no_space : ErrorCode::not_found);
    }
  }
  const Status silent = world().agree(Error{ErrorCode::internal, ""});
  EXPECT_EQ(silent.error().message, "");
  const std::string text(100'000, 'x');
  EXPECT_EQ(world().agree(Error{ErrorCode::internal, text}).error().message, text);
}

TEST(Communicator, BroadcastsAnySizeFromAnyRank) {
  for (int root = 0; root < world().size(); ++root) {
    for (const std::size_t size : sizes) {
      const bool sends = world().rank() == root;
      // Receivers hold something else before.
      std::vector<std::byte> bytes = sends ? message(size, root) : message(17, 99);
      world().broadcast(bytes, root);
      EXPECT_TRUE(bytes == message(size, root)) << size << " bytes from " << root;
    }
    std::string text = world().rank() == root ? fmt::format("from {}", root) : "?";
    world().broadcast(text, root);
    EXPECT_EQ(text, fmt::format("from {}", root));
  }
}

TEST(Communicator, SendsAnySizeInOrder) {
  for (const std::size_t size : sizes) {
    if (!world().is_root()) {
      world().send(message(size, world().rank()), 0, 5);
      world().send(message(3, 7), 0, 5);
      continue;
    }
    for (int from = world().size() - 1; from > 0; --from) {
      EXPECT_TRUE(world().recv(from, 5) == message(size, from)) << size << " bytes from " << from;
      EXPECT_TRUE(world().recv(from, 5) == message(3, 7));
    }
  }
}

TEST(Communicator, ReducesAndGathersInRankOrder) {
  const auto rank = static_cast<std::int64_t>(world().rank());
  const auto size = static_cast<std::int64_t>(world().size());
  EXPECT_EQ(world().all_reduce(rank, MPI_SUM), size * (size - 1) / 2);
  EXPECT_EQ(world().all_reduce(static_cast<double>(rank) + 0.5, MPI_MAX),
            static_cast<double>(size) - 0.5);
  std::vector<std::uint64_t> bits = {std::uint64_t{1} << rank, 0};
  world().all_reduce(bits, MPI_BOR);
  EXPECT_EQ(bits, (std::vector<std::uint64_t>{(std::uint64_t{1} << size) - 1, 0}));
  const std::vector<std::int64_t> own = {rank, -rank};
  const auto all = world().gather(own);
  if (!world().is_root()) {
    EXPECT_TRUE(all.empty());
    return;
  }
  for (std::int64_t r = 0; r < size; ++r) {
    EXPECT_EQ(all.at(static_cast<std::size_t>(2 * r)), r);
    EXPECT_EQ(all.at(static_cast<std::size_t>(2 * r + 1)), -r);
  }
}

TEST(Communicator, ADuplicateKeepsItsMessagesToItself) {
  auto other = Communicator::duplicate(world().handle());
  ASSERT_TRUE(other);
  EXPECT_EQ(other->rank(), world().rank());
  EXPECT_EQ(other->size(), world().size());
  if (world().rank() == 1) {
    world().send(message(4, 1), 0, 3);
    other->send(message(5, 1), 0, 3);
  } else if (world().is_root() && world().size() > 1) {
    EXPECT_EQ(other->recv(1, 3).size(), 5U);
    EXPECT_EQ(world().recv(1, 3).size(), 4U);
  }
  other->close();
}

TEST(NodeTopology, RanksOfOneMachineShareItsOneNode) {
  const NodeTopology topology = NodeTopology::discover(world());
  ASSERT_EQ(topology.node_of_rank.size(), static_cast<std::size_t>(world().size()));
  // Whatever the machine: nodes are numbered by their lowest rank, and mine counts me.
  int nodes = 0;
  int before_me_on_mine = 0;
  for (int rank = 0; rank < world().size(); ++rank) {
    const int node = topology.node_of_rank[static_cast<std::size_t>(rank)];
    ASSERT_LE(node, nodes);
    nodes = std::max(nodes, node + 1);
    before_me_on_mine +=
        rank < world().rank() &&
                node == topology.node_of_rank[static_cast<std::size_t>(world().rank())]
            ? 1
            : 0;
  }
  EXPECT_EQ(topology.num_nodes(), nodes);
  EXPECT_EQ(topology.node_rank, before_me_on_mine);
  std::array<char, MPI_MAX_PROCESSOR_NAME> host{};
  int length = 0;
  MPI_Get_processor_name(host.data(), &length);
  EXPECT_EQ(topology.host_of_node.at(static_cast<std::size_t>(
                topology.node_of_rank[static_cast<std::size_t>(world().rank())])),
            host.data());
  std::vector<std::string> names(static_cast<std::size_t>(world().size()));
  for (int rank = 0; rank < world().size(); ++rank) {
    names[static_cast<std::size_t>(rank)] = host.data();
    world().broadcast(names[static_cast<std::size_t>(rank)], rank);
  }
  if (std::count(names.begin(), names.end(), names[0]) == world().size()) {
    EXPECT_EQ(topology.num_nodes(), 1);
  }
}

}  // namespace
}  // namespace shardmark
