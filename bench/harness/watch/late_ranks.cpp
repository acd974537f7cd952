// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/late_ranks.hpp"

#include <algorithm>
#include <cmath>

namespace shardmark::bench {
namespace {

// One look alone may fall between two waits.
constexpr double least_looks = 1.5;

}  // namespace

LateRanks::LateRanks(std::size_t num_ranks, double half_life_s)
    : half_life_s_(half_life_s), last_(num_ranks), held_up_(num_ranks) {}

void LateRanks::look(double now_s, std::span<const RankLook> ranks) {
  const double weight = std::exp2((last_s_ - now_s) / half_life_s_);
  last_s_ = now_s;
  std::copy(ranks.begin(), ranks.end(), last_.begin());
  const bool anybody_waits =
      std::ranges::any_of(ranks, [](const RankLook& rank) { return rank.waits && !rank.stopped; });
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const bool holds_up = anybody_waits && (ranks[i].stopped || !ranks[i].waits);
    held_up_[i] = held_up_[i] * weight + (holds_up ? 1 : 0);
  }
}

std::vector<std::size_t> LateRanks::late() const {
  const double most = *std::ranges::max_element(held_up_);
  std::vector<std::size_t> late;
  for (std::size_t i = 0; i < last_.size(); ++i) {
    const bool holds_up = most >= least_looks && held_up_[i] >= most / 2;
    if (last_[i].stopped || holds_up) {
      late.push_back(i);
    }
  }
  const bool any = !late.empty();
  for (std::size_t i = 0; i < last_.size(); ++i) {
    if (!any && !last_[i].waits) {
      late.push_back(i);
    }
  }
  return late;
}

}  // namespace shardmark::bench
