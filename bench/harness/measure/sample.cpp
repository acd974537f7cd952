// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/sample.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace shardmark::bench {
namespace {

void gather_times(Sample& sample, const Measurement& measurement, const CollectiveTime& time,
                  double passes, const Communicator& comm) {
  // One message a rank for all of them.
  constexpr std::size_t width = num_phases + 1;
  std::array<double, width> own{};
  for (std::size_t p = 0; p < num_phases; ++p) {
    own[p] = measurement.phases.seconds[p] / passes;
  }
  own[num_phases] = time.own_s / passes;
  const std::vector<double> all = comm.gather(std::span<const double>(own));
  for (std::size_t at = 0; at < all.size(); at += width) {
    PhaseTimes phases;
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(at), num_phases, phases.seconds.begin());
    sample.phases.push_back(phases);
    sample.total_s.push_back(all[at + num_phases]);
  }
  sample.time_s = time.max_s / passes;
}

/// The values of a table's fields over all ranks. A field that this rank has not set, none has.
template <typename T, std::size_t n>
void reduce_fields(Sample& sample, const Measurement& measurement,
                   const std::array<MeasuredField<T>, n>& fields, const Communicator& comm) {
  // Two calls whatever the table: a field costs no message of its own.
  for (const auto& [over_ranks, op] :
       {std::pair(OverRanks::sum, MPI_SUM), std::pair(OverRanks::max, MPI_MAX)}) {
    std::array<T, n> values{};
    for (std::size_t i = 0; i < n; ++i) {
      values[i] =
          fields[i].over_ranks == over_ranks ? (measurement.*fields[i].value).value_or(0) : 0;
    }
    comm.all_reduce(std::span<T>(values), op);
    for (std::size_t i = 0; i < n; ++i) {
      if (fields[i].over_ranks == over_ranks && measurement.*fields[i].value) {
        sample.*fields[i].value = values[i];
      }
    }
  }
  for (const MeasuredField<T>& field : fields) {
    if (field.over_ranks == OverRanks::root) {
      sample.*field.value = measurement.*field.value;
    }
  }
}

void gather_memory_and_balance(Sample& sample, const Measurement& measurement,
                               std::optional<std::int64_t> peak_memory_bytes,
                               const Communicator& comm) {
  const std::array<std::int64_t, 2> own = {peak_memory_bytes.value_or(-1),
                                           measurement.balanced_bytes.value_or(0)};
  const std::vector<std::int64_t> all = comm.gather(std::span<const std::int64_t>(own));
  std::vector<std::int64_t> peaks;
  std::vector<double> shares;
  for (std::size_t at = 0; at < all.size(); at += own.size()) {
    peaks.push_back(all[at]);
    shares.push_back(static_cast<double>(all[at + 1]));
  }
  if (std::ranges::find(peaks, -1) == peaks.end()) {
    sample.peak_memory = std::move(peaks);
  }
  if (!sample.total_s.empty()) {
    sample.metrics["imbalance"] =
        imbalance_of(measurement.balanced_bytes ? shares : sample.total_s);
  }
}

void sum_io(Sample& sample, const std::optional<ProcessIo>& own, const Communicator& comm) {
  std::array<std::int64_t, 3> sums = {own ? own->read_bytes : 0, own ? own->write_bytes : 0,
                                      own ? 0 : 1};
  comm.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
  // A sum over some ranks alone would look like less I/O.
  if (sums[2] == 0) {
    sample.below = ProcessIo{sums[0], sums[1]};
  }
}

void gather_events(Sample& sample, std::span<const PhaseEvent> events, const Communicator& comm) {
  constexpr std::size_t width = 3;
  // Padded to the rank with most, so that one gather does; a negative phase ends a rank's own.
  const auto most =
      static_cast<std::size_t>(comm.all_reduce(static_cast<std::int64_t>(events.size()), MPI_MAX));
  std::vector<std::int64_t> own(most * width, -1);
  for (std::size_t i = 0; i < events.size(); ++i) {
    own[i * width] = static_cast<std::int64_t>(events[i].phase);
    own[i * width + 1] = events[i].begin_ns;
    own[i * width + 2] = events[i].end_ns;
  }
  const auto all = comm.gather(std::span<const std::int64_t>(own));
  for (std::size_t at = 0; at < all.size(); at += most * width) {
    std::vector<PhaseEvent>& of_rank = sample.events.emplace_back();
    for (std::size_t i = at; i < at + most * width && all[i] >= 0; i += width) {
      of_rank.push_back({static_cast<Phase>(all[i]), all[i + 1], all[i + 2]});
    }
  }
}

}  // namespace

RankSpread spread_of(std::span<const double> values) {
  const auto slowest = std::ranges::max_element(values);
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {*std::ranges::min_element(values), sum / static_cast<double>(values.size()), *slowest,
          static_cast<int>(slowest - values.begin())};
}

double imbalance_of(std::span<const double> values) {
  const RankSpread spread = spread_of(values);
  return spread.mean > 0 ? spread.max / spread.mean : 1;
}

std::vector<double> phase_seconds(const Sample& sample, Phase phase) {
  std::vector<double> seconds;
  for (const PhaseTimes& times : sample.phases) {
    seconds.push_back(times[phase]);
  }
  return seconds;
}

Sample gather_sample(const Measurement& measurement, const CollectiveTime& time, double passes,
                     const OperationUsage& usage, const Communicator& comm) {
  Sample sample;
  static_cast<OperationFacts&>(sample) = measurement;
  sample.phase_list.assign(measurement.phase_list.begin(), measurement.phase_list.end());
  gather_times(sample, measurement, time, passes, comm);
  reduce_fields(sample, measurement, measured_times, comm);
  for (const MeasuredField<double>& field : measured_times) {
    if (auto& seconds = sample.*field.value; seconds && field.over_ranks != OverRanks::root) {
      *seconds /= passes;
    }
  }
  reduce_fields(sample, measurement, measured_counts, comm);
  const bool elsewhere = measurement.done_elsewhere;
  gather_memory_and_balance(sample, measurement,
                            elsewhere ? measurement.peak_memory_bytes : usage.peak_memory_bytes,
                            comm);
  sum_io(sample, elsewhere ? std::nullopt : usage.io, comm);
  gather_events(sample, measurement.events, comm);
  return sample;
}

}  // namespace shardmark::bench
