// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/visibility.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "bench/harness/measure/collective_timer.hpp"
#include "bench/harness/measure/observer_child.hpp"
#include "shardmark/checkpoint/visibility.hpp"

namespace shardmark::bench {
namespace {

constexpr int word_tag = 71;

}  // namespace

std::vector<int> observing_ranks(const NodeTopology& topology) {
  const auto num_ranks = static_cast<int>(topology.node_of_rank.size());
  std::vector<int> ranks;
  for (int node = 0; node < topology.num_nodes(); ++node) {
    if (node != topology.node_of_rank.front()) {
      const auto lowest = std::ranges::find(topology.node_of_rank, node);
      ranks.push_back(static_cast<int>(lowest - topology.node_of_rank.begin()));
    }
  }
  if (ranks.empty() && num_ranks > 1) {
    ranks.push_back(num_ranks - 1);
  }
  return ranks;
}

Result<Visibility> observe(const std::string& directory, std::int64_t step, double start_s,
                           const NodeTopology& topology, const Communicator& comm) {
  Visibility visibility;
  const std::vector<int> observers = observing_ranks(topology);
  Status seen;
  if (observers.empty()) {
    if (!has_observer_child()) {
      return visibility;
    }
    const auto looks = ask_observer_child(directory, step);
    seen = Status(looks);
    visibility = {steady_seconds() - start_s, "child-process", looks ? *looks : 0};
  } else {
    const auto own = std::ranges::find(observers, comm.rank());
    if (own != observers.end()) {
      const auto index = static_cast<int>(own - observers.begin());
      const auto looks =
          wait_until_visible(directory, step, {index, static_cast<int>(observers.size())});
      seen = Status(looks);
      const std::array<std::int64_t, 1> word = {looks ? *looks : 0};
      comm.send(std::as_bytes(std::span(word)), 0, word_tag);
    }
    if (comm.is_root()) {
      for (const int observer : observers) {
        const std::vector<std::byte> word = comm.recv(observer, word_tag);
        std::int64_t looks = 0;
        std::memcpy(&looks, word.data(), std::min(word.size(), sizeof(looks)));
        visibility.looks = std::max(visibility.looks, looks);
      }
      visibility.visible_s = steady_seconds() - start_s;
    }
    visibility.from = topology.num_nodes() > 1 ? "other-nodes" : "other-rank";
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(seen));
  return visibility;
}

}  // namespace shardmark::bench
