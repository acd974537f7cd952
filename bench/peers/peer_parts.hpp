// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "bench/peers/peer_messages.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// The boxes that a rank stores, as the planner deals them out: every replica once, objects too.
struct PeerParts {
  std::vector<PeerPart> parts;
  std::int64_t num_bytes = 0;     // of this rank
  std::int64_t stored_bytes = 0;  // of all ranks
  std::int64_t wanted_bytes =
      0;  // what all ranks together load, replicas as often as they hold them
};

/// Collective. Errors, agreed: those of the workload and of planning.
Result<PeerParts> peer_parts(const Config& config, SuiteEnvironment& environment);

}  // namespace shardmark::bench
