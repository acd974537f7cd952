// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/clock_offsets.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

namespace shardmark::bench {
namespace {

constexpr int clock_tag = 72;
constexpr int round_trips = 32;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Rank 0's side: the quickest round trip has the least to hide.
ClockOffset ask(int rank, const Communicator& comm) {
  ClockOffset best{0, std::numeric_limits<std::int64_t>::max()};
  for (int i = 0; i < round_trips; ++i) {
    const std::int64_t sent = now_ns();
    comm.send({}, rank, clock_tag);
    const auto answer = comm.recv(rank, clock_tag);
    const std::int64_t received = now_ns();
    std::int64_t theirs = 0;
    std::memcpy(&theirs, answer.data(), std::min(answer.size(), sizeof theirs));
    if ((received - sent) / 2 < best.error_ns) {
      best = {sent + (received - sent) / 2 - theirs, (received - sent) / 2};
    }
  }
  return best;
}

void answer(const Communicator& comm) {
  for (int i = 0; i < round_trips; ++i) {
    static_cast<void>(comm.recv(0, clock_tag));
    const std::int64_t now = now_ns();
    comm.send(std::as_bytes(std::span(&now, 1)), 0, clock_tag);
  }
}

}  // namespace

std::vector<ClockOffset> measure_clock_offsets(const NodeTopology& topology,
                                               const Communicator& comm) {
  std::vector<ClockOffset> offsets(static_cast<std::size_t>(topology.num_nodes()));
  for (int node = 0; node < topology.num_nodes(); ++node) {
    const auto first = std::ranges::find(topology.node_of_rank, node);
    const auto leader = static_cast<int>(first - topology.node_of_rank.begin());
    if (leader == 0) {
      continue;
    }
    if (comm.is_root()) {
      offsets[static_cast<std::size_t>(node)] = ask(leader, comm);
    } else if (comm.rank() == leader) {
      answer(comm);
    }
  }
  return offsets;
}

}  // namespace shardmark::bench
