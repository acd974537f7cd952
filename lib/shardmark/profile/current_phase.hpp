// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "shardmark/profile/phase.hpp"

namespace shardmark {

/// The phase that this process entered last, and for how long it has been there.
struct CurrentPhase {
  std::optional<Phase> phase;  // none between operations
  double for_s = 0;
};

/// Local, from any thread: for watching a process that does not move on.
CurrentPhase current_phase() noexcept;

/// Local. Called by PhaseClock; nullopt at the end of an operation. Costs two relaxed stores.
void publish_phase(std::optional<Phase> phase, double now_s) noexcept;

}  // namespace shardmark
