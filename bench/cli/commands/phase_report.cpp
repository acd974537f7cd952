// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/phase_report.hpp"

#include <fmt/format.h>

#include "bench/harness/measure/sample.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/table.hpp"

namespace shardmark::bench {
namespace {

RankSpread spread_of_phase(std::span<const PhaseTimes> by_rank, Phase phase) {
  std::vector<double> seconds;
  for (const PhaseTimes& times : by_rank) {
    seconds.push_back(times[phase]);
  }
  return spread_of(seconds);
}

std::int64_t rank_at(std::span<const int> ranks, std::int64_t position) {
  return ranks.empty() ? position : ranks[static_cast<std::size_t>(position)];
}

}  // namespace

std::vector<PhaseTimes> gather_phases(const PhaseTimes& own, const Communicator& comm) {
  const std::vector<double> all = comm.gather(std::span<const double>(own.seconds));
  std::vector<PhaseTimes> by_rank(all.size() / num_phases);
  for (std::size_t i = 0; i < all.size(); ++i) {
    by_rank[i / num_phases].seconds[i % num_phases] = all[i];
  }
  return by_rank;
}

nlohmann::ordered_json phases_document(std::span<const PhaseTimes> by_rank,
                                       std::span<const Phase> phases, std::span<const int> ranks) {
  nlohmann::ordered_json document;
  for (const Phase phase : phases) {
    const RankSpread spread = spread_of_phase(by_rank, phase);
    document[std::string(phase_name(phase))] = {
        {"min", spread.min},
        {"mean", spread.mean},
        {"max", spread.max},
        {"slowest_rank", rank_at(ranks, spread.slowest_rank)}};
  }
  return document;
}

std::string phases_table(std::span<const PhaseTimes> by_rank, std::span<const Phase> phases,
                         std::span<const int> ranks) {
  Table table({{"phase"},
               {"min", Table::Align::right},
               {"mean", Table::Align::right},
               {"max", Table::Align::right},
               {"slowest rank", Table::Align::right}});
  std::vector<double> seconds;
  for (const Phase phase : phases) {
    seconds.push_back(spread_of_phase(by_rank, phase).max);
  }
  const TimeUnit unit = common_unit(seconds);
  for (const Phase phase : phases) {
    const RankSpread spread = spread_of_phase(by_rank, phase);
    if (spread.max > 0) {
      table.add_row({std::string(phase_name(phase)), format_seconds(spread.min, unit),
                     format_seconds(spread.mean, unit), format_seconds(spread.max, unit),
                     fmt::format("{}", rank_at(ranks, spread.slowest_rank))});
    }
  }
  return table.text(text_style(stdout));
}

}  // namespace shardmark::bench
