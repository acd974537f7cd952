// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/harness/watch/process_state.hpp"

namespace shardmark::bench {

/// What there is to say of one late rank.
struct LateRank {
  int rank = 0;
  int pid = 0;
  std::string phase;       // "unmeasured" between operations' phases
  double phase_s = 0;      // in it
  std::string tensor;      // that it worked on last; empty: not known
  std::int64_t bytes = 0;  // since the operation began
  double still_s = 0;      // since the last of them
  ProcessState process;
};

/// What one node's watcher says once a deadline has passed.
struct LateReport {
  std::string what;      // "save of step 2"
  double limit_s = 0;    // run.deadline
  double elapsed_s = 0;  // of the operation
  std::string host;
  int num_ranks = 0;         // of this node
  int num_waiting = 0;       // of them, for others
  bool other_nodes = false;  // there are
  bool ends = true;          // run.late
  std::vector<LateRank> late;
};

/// Bytes that came last within this time still move.
inline constexpr double moving_s = 1.5;

/// Local. One message of at most six lines, without "shardmark: error:" before it.
std::string late_message(const LateReport& report);

}  // namespace shardmark::bench
