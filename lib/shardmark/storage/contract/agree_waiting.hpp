// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark {

/// Collective. Communicator::agree() in phase wait: what a rank spends in it, it waits for others.
inline Status agree_waiting(const Status& local, PhaseClock& clock, const Communicator& comm) {
  const ScopedPhase wait(clock, Phase::wait);
  return comm.agree(local);
}

}  // namespace shardmark
