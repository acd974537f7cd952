// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/current_phase.hpp"

#include <chrono>
#include <cmath>

#include "shardmark/core/progress.hpp"

namespace shardmark {

CurrentPhase current_phase() noexcept {
  const std::int32_t phase = progress().phase.load(std::memory_order_relaxed);
  if (phase == Progress::no_phase) {
    return {};
  }
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto since_ns = progress().phase_since_ns.load(std::memory_order_relaxed);
  return {static_cast<Phase>(phase),
          std::chrono::duration<double>(now - std::chrono::nanoseconds(since_ns)).count()};
}

void publish_phase(std::optional<Phase> phase, double now_s) noexcept {
  progress().phase_since_ns.store(std::llround(now_s * 1e9), std::memory_order_relaxed);
  progress().phase.store(phase ? static_cast<std::int32_t>(*phase) : Progress::no_phase,
                         std::memory_order_relaxed);
}

}  // namespace shardmark
