// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// When a leftover is taken for dead.
struct SweepRules {
  /// Seconds without a heartbeat, by the file system's own clock, after which a job that cannot be
  /// asked (of another host, or where nothing locks) is taken for dead. Far above what a client of
  /// a network file system may believe an old time, and what a busy one may take to set a new one.
  double silent_limit_s = 600;
};

/// What a sweep found.
struct SweepReport {
  /// One that stayed.
  struct Left {
    std::string path;
    std::string why;
    std::int64_t num_bytes = 0;
  };
  int swept = 0;
  std::vector<Left> left;  // those of living jobs not counted
};

/// Local. Removes what dead jobs left in `directory`: partial checkpoints, folders of runs, and
/// what another sweep began to remove; only real folders of our name patterns. Each is first
/// renamed away, so that its commit and this sweep cannot both win. Alive is whose process this
/// node sees, or whose lock is held; who is elsewhere and silent for longer than the limit is dead.
/// Errors: io_error where the directory cannot be listed.
Result<SweepReport> sweep_leftovers(const std::string& directory, const SweepRules& rules = {});

/// Local. One sentence on what stays; empty if nothing does.
std::string describe_left(const SweepReport& report, const std::string& directory);

}  // namespace shardmark
