// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/current_phase.hpp"

#include <atomic>
#include <chrono>

namespace shardmark {
namespace {

constexpr int no_phase = -1;
std::atomic<int> published = no_phase;
std::atomic<double> published_since = 0;

}  // namespace

CurrentPhase current_phase() noexcept {
  const int phase = published.load(std::memory_order_relaxed);
  if (phase == no_phase) {
    return {};
  }
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return {static_cast<Phase>(phase), std::chrono::duration<double>(now).count() -
                                         published_since.load(std::memory_order_relaxed)};
}

void publish_phase(std::optional<Phase> phase, double now_s) noexcept {
  published_since.store(now_s, std::memory_order_relaxed);
  published.store(phase ? static_cast<int>(*phase) : no_phase, std::memory_order_relaxed);
}

}  // namespace shardmark
