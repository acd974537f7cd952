// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/harness/measure/collective_timer.hpp"
#include "bench/harness/measure/io_explanation.hpp"
#include "bench/harness/measure/measured_fields.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/machine/process_io.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark::bench {

/// What lay on disk after a save.
struct DiskInventory {
  std::int64_t files = 0;
  std::int64_t num_bytes = 0;
  std::int64_t padding_bytes = 0;
};

/// How transfers were asked for and how they were done.
struct IoModeRecord {
  std::string requested;
  std::string actual;
  std::string reason;             // the library's own, empty where the two are the same
  std::vector<std::string> fqns;  // empty: all tensors
};

/// What is known of one repetition that is no number over ranks: the same on all, or rank 0's.
struct OperationFacts {
  std::string visible_from;
  std::optional<DiskInventory> inventory;
  std::optional<CacheReport> cold;
  std::vector<IoModeRecord> io_modes;
  std::optional<bool> o_direct_actual;  // where it was asked for or could have been
  std::map<std::string, double> metrics;
  std::vector<IoExplanation> why;  // what made it slow
  std::optional<bool> verified;
};

/// One rank's part of one repetition, as a case reports it. Every rank sets the same optionals.
struct Measurement : MeasuredFields, OperationFacts {
  std::span<const Phase> phase_list;           // what this family measures
  PhaseTimes phases;                           // sum to this rank's total
  std::vector<PhaseEvent> events;              // when the phases were, on this rank's clock
  std::optional<std::int64_t> balanced_bytes;  // imbalance = maximum over mean of these
  // Another process did it: its memory is told here, and what this one used says nothing.
  bool done_elsewhere = false;
  std::optional<std::int64_t> peak_memory_bytes = {};
};

/// What an operation took beside its time, on this rank.
struct OperationUsage {
  std::optional<std::int64_t> peak_memory_bytes;
  std::optional<ProcessIo> io;
};

/// One repetition of one case over all ranks: an element of samples.json. After a failure
/// everything measured is absent. "imbalance" is always among the metrics.
struct Sample : MeasuredFields, OperationFacts {
  std::size_t case_index = 0;
  int repetition = 0;
  int order = 0;  // place in the run

  std::optional<double> time_s;
  std::vector<Phase> phase_list;
  std::vector<double> total_s;                           // by rank
  std::vector<PhaseTimes> phases;                        // by rank
  std::optional<std::vector<std::int64_t>> peak_memory;  // bytes, by rank
  std::optional<ProcessIo> below;                        // of all ranks
  std::vector<std::vector<PhaseEvent>> events;           // by rank
  std::optional<Error> error;
  std::optional<std::string> skipped;
};

/// Minimum, mean and maximum over ranks, and who was last.
struct RankSpread {
  double min = 0;
  double mean = 0;
  double max = 0;
  int slowest_rank = 0;  // the lowest of equals
};

/// Local. `values` by rank, not empty.
RankSpread spread_of(std::span<const double> values);

/// Local. Maximum over mean; 1 where all are zero.
double imbalance_of(std::span<const double> values);

/// Local. The seconds of one phase by rank.
std::vector<double> phase_seconds(const Sample& sample, Phase phase);

/// Collective. Joins the ranks' parts; complete on rank 0 only, but for time_s, which every rank
/// gets. All times are divided by `passes`.
Sample gather_sample(const Measurement& measurement, const CollectiveTime& time, double passes,
                     const OperationUsage& usage, const Communicator& comm);

}  // namespace shardmark::bench
