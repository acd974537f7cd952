// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/case_order.hpp"

#include <numeric>
#include <random>
#include <utility>

namespace shardmark::bench {

std::vector<std::vector<std::size_t>> shuffled_rounds(std::size_t num_cases, int rounds,
                                                      std::uint64_t seed) {
  // Not std::shuffle: what it does with the generator differs between standard libraries.
  std::mt19937_64 random(seed);
  std::vector<std::size_t> order(num_cases);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::vector<std::size_t>> all;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t left = order.size(); left > 1; --left) {
      std::swap(order[left - 1], order[random() % left]);
    }
    all.push_back(order);
  }
  return all;
}

}  // namespace shardmark::bench
