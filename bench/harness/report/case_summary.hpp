// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/ratio_interval.hpp"
#include "bench/harness/report/time_spread.hpp"

namespace shardmark::bench {

/// The phase that took longest, in the repetition of median time.
struct SlowestPhase {
  Phase phase = Phase::wait;
  double share = 0;  // of the repetition's time
  int rank = 0;      // that spent longest in it
};

/// The good repetitions of one case; the bad ones are only counted.
struct CaseSummary {
  const CaseDescription* description = nullptr;
  int repetitions = 0;
  int failed = 0;
  std::optional<std::string> skipped;
  std::optional<Error> error;  // the first
  std::optional<std::int64_t> num_bytes;
  std::optional<TimeSpread> time_s;
  std::map<std::string_view, TimeSpread> times;    // of measured_times, by key
  std::optional<double> imbalance;                 // median
  std::optional<double> rate_bytes_per_s;          // bytes over median time, I/O only
  std::optional<TimeSpread> same_layout_ratio;     // reshard, see same_layout.hpp; no unit
  std::optional<RatioInterval> own_ratio;          // of another engine, see peer_ratios.hpp
  std::optional<RatioInterval> against_ours;       // likewise
  const CaseDescription* compared_with = nullptr;  // of ours
  std::optional<double> amplification;             // bytes asked of storage / needed, the largest
  std::optional<SlowestPhase> slowest_phase;
  std::optional<CacheState> cold;                 // the worst of all: any warm repetition shows
  std::optional<double> resident_fraction;        // likewise the largest
  std::vector<double> shared_work_s;              // by rank: medians of shared_work()
  std::optional<std::int64_t> peak_memory_bytes;  // largest of all ranks and repetitions
  // I/O only, of all ranks, in the first repetition that was good.
  std::optional<std::int64_t> requests;
  std::optional<std::int64_t> bytes_moved;
  std::optional<std::int64_t> bytes_below;  // by the kernel's count
  std::optional<DiskInventory> inventory;
  std::vector<IoExplanation> why;
  std::map<std::string, double> metrics;

  /// Of one of measured_times; nullopt where it was not measured.
  std::optional<TimeSpread> spread_of(std::string_view key) const {
    const auto found = times.find(key);
    return found == times.end() ? std::nullopt : std::optional(found->second);
  }
};

}  // namespace shardmark::bench
