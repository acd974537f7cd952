// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/summarise.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bench/harness/report/node_work.hpp"
#include "bench/harness/report/peer_ratios.hpp"
#include "bench/harness/report/same_layout.hpp"

namespace shardmark::bench {
namespace {

using SamplePointers = std::vector<const Sample*>;

template <typename Get>
std::optional<TimeSpread> spread_of_samples(const SamplePointers& samples, const Get& get) {
  std::vector<double> seconds;
  for (const Sample* sample : samples) {
    if (const std::optional<double> value = get(*sample)) {
      seconds.push_back(*value);
    }
  }
  return spread_over(std::move(seconds));
}

std::optional<SlowestPhase> slowest_phase_of(const SamplePointers& samples, double median_s) {
  // Of one repetition, the one nearest to the median: phases of different repetitions put together
  // would sum to a time that never was.
  const auto distance = [&](const Sample* sample) { return std::abs(*sample->time_s - median_s); };
  const Sample& typical = **std::ranges::min_element(samples, {}, distance);
  std::optional<SlowestPhase> slowest;
  double longest_s = 0;
  for (const Phase phase : typical.phase_list) {
    const std::vector<double> seconds = phase_seconds(typical, phase);
    if (phase == Phase::wait || seconds.empty()) {
      continue;  // waiting is what another rank's phase costs
    }
    const RankSpread spread = spread_of(seconds);
    if (spread.max > longest_s) {
      longest_s = spread.max;
      slowest = {phase, spread.max / *typical.time_s, spread.slowest_rank};
    }
  }
  return slowest;
}

void add_times(CaseSummary& summary, const SamplePointers& good) {
  summary.time_s = spread_of_samples(good, [](const Sample& s) { return s.time_s; });
  for (const MeasuredField<double>& field : measured_times) {
    const auto spread = spread_of_samples(good, [&](const Sample& s) { return s.*field.value; });
    if (spread && field.over_rounds == OverRounds::spread) {
      summary.times[field.key] = *spread;
    }
  }
  if (!summary.time_s) {
    return;
  }
  const auto imbalance = spread_of_samples(good, [](const Sample& s) {
    const auto found = s.metrics.find("imbalance");
    return found == s.metrics.end() ? std::nullopt : std::optional(found->second);
  });
  if (imbalance) {
    summary.imbalance = imbalance->median;
  }
  // The worst of them counts.
  for (const Sample* sample : good) {
    if (const auto found = sample->metrics.find("amplification"); found != sample->metrics.end()) {
      summary.amplification = std::max(summary.amplification.value_or(0), found->second);
    }
  }
  summary.num_bytes = good.front()->num_bytes;
  if (summary.num_bytes && summary.description->family.moves_bytes && summary.time_s->median > 0) {
    summary.rate_bytes_per_s = static_cast<double>(*summary.num_bytes) / summary.time_s->median;
  }
  summary.slowest_phase = slowest_phase_of(good, summary.time_s->median);
}

void add_work(CaseSummary& summary, const SamplePointers& good) {
  const std::size_t num_ranks = good.empty() ? 0 : good.front()->phases.size();
  for (std::size_t rank = 0; rank < num_ranks; ++rank) {
    std::vector<double> seconds;
    for (const Sample* sample : good) {
      seconds.push_back(shared_work(*sample)[rank]);
    }
    summary.shared_work_s.push_back(spread_over(std::move(seconds))->median);
  }
}

void add_cache_and_memory(CaseSummary& summary, const SamplePointers& good) {
  // The least cold read and the highest peak: a claim about a case holds for all its repetitions.
  for (const Sample* sample : good) {
    if (sample->cold) {
      summary.cold =
          summary.cold ? std::max(*summary.cold, sample->cold->state) : sample->cold->state;
      if (sample->cold->resident_fraction) {
        summary.resident_fraction =
            std::max(summary.resident_fraction.value_or(0), *sample->cold->resident_fraction);
      }
    }
    if (sample->peak_memory && !sample->peak_memory->empty()) {
      summary.peak_memory_bytes = std::max(summary.peak_memory_bytes.value_or(0),
                                           *std::ranges::max_element(*sample->peak_memory));
    }
  }
}

void add_counts(CaseSummary& summary, const SamplePointers& good) {
  if (good.empty() || (summary.description->family.comparison != Comparison::with_ceilings &&
                       summary.description->family.comparison != Comparison::is_peer)) {
    return;
  }
  // What is counted is the same every time; the first stands for all.
  const Sample& first = *good.front();
  const bool saves = summary.description->operation == Operation::save;
  summary.requests = saves ? first.write_requests : first.read_requests;
  summary.bytes_moved = saves ? first.bytes_written : first.bytes_read;
  summary.inventory = first.inventory;
  summary.why = first.why;
  summary.metrics = first.metrics;
  if (first.below) {
    summary.bytes_below = saves ? first.below->write_bytes : first.below->read_bytes;
  }
}

}  // namespace

std::vector<CaseSummary> summarise(std::span<const CaseDescription> cases,
                                   std::span<const Sample> samples) {
  std::vector<CaseSummary> summaries(cases.size());
  std::vector<SamplePointers> good(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    summaries[i].description = &cases[i];
    summaries[i].skipped = cases[i].skipped;
  }
  for (const Sample& sample : samples) {
    CaseSummary& summary = summaries[sample.case_index];
    if (sample.error) {
      ++summary.failed;
      summary.error = summary.error ? summary.error : sample.error;
    } else if (sample.skipped) {
      summary.skipped = sample.skipped;
      continue;
    } else {
      good[sample.case_index].push_back(&sample);
    }
    ++summary.repetitions;
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    add_times(summaries[i], good[i]);
    add_cache_and_memory(summaries[i], good[i]);
    add_counts(summaries[i], good[i]);
    add_work(summaries[i], good[i]);
  }
  compare_with_same_layout(summaries, samples);
  compare_peers(summaries, samples);
  return summaries;
}

}  // namespace shardmark::bench
