// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/peer_ratios.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace shardmark::bench {
namespace {

constexpr double least_agreement = 0.9;
constexpr double most_agreement = 1.1;

using Seconds = std::map<int, double>;  // by round

/// The fastest of our own cases that moves the same bytes the same way.
std::optional<std::size_t> ours_of(std::span<const CaseSummary> summaries,
                                   const CaseSummary& peer) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const CaseDescription& each = *summaries[i].description;
    const bool same = each.family.comparison == Comparison::with_ceilings && !each.discards &&
                      each.ceiling_group == peer.description->ceiling_group &&
                      each.operation == peer.description->operation;
    if (same && summaries[i].time_s && summaries[i].failed == 0 && !summaries[i].skipped &&
        (!best || summaries[i].time_s->median < summaries[*best].time_s->median)) {
      best = i;
    }
  }
  return best;
}

std::optional<RatioInterval> by_rounds(const Seconds& over, const Seconds& under) {
  std::vector<double> ratios;
  for (const auto& [round, seconds] : over) {
    const auto other = under.find(round);
    if (other != under.end() && other->second > 0) {
      ratios.push_back(seconds / other->second);
    }
  }
  return interval_over(std::move(ratios));
}

}  // namespace

bool is_peer(const CaseSummary& summary) {
  return summary.description->family.comparison == Comparison::is_peer;
}

void compare_peers(std::span<CaseSummary> summaries, std::span<const Sample> samples) {
  std::vector<Seconds> times(summaries.size());
  std::vector<Seconds> own(summaries.size());
  for (const Sample& sample : samples) {
    if (!sample.error && !sample.skipped && sample.time_s) {
      times[sample.case_index][sample.repetition] = *sample.time_s;
      if (sample.own_s) {
        own[sample.case_index][sample.repetition] = *sample.own_s;
      }
    }
  }
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    CaseSummary& summary = summaries[i];
    if (!is_peer(summary) || summary.skipped || summary.failed > 0) {
      continue;
    }
    summary.own_ratio = by_rounds(own[i], times[i]);
    if (const auto ours = ours_of(summaries, summary)) {
      summary.against_ours = by_rounds(times[i], times[*ours]);
      summary.compared_with = summaries[*ours].description;
    }
  }
}

bool figures_agree(const CaseSummary& peer) {
  return peer.own_ratio && peer.own_ratio->median >= least_agreement &&
         peer.own_ratio->median <= most_agreement;
}

PeerVerdict peer_verdict(const CaseSummary& peer) {
  if (!figures_agree(peer) || !peer.against_ours || !peer.against_ours->is_certain()) {
    return PeerVerdict::none;
  }
  return peer.against_ours->low > 1    ? PeerVerdict::slower
         : peer.against_ours->high < 1 ? PeerVerdict::faster
                                       : PeerVerdict::cannot_tell;
}

std::string_view verdict_name(PeerVerdict verdict) noexcept {
  switch (verdict) {
    case PeerVerdict::faster:
      return "faster";
    case PeerVerdict::slower:
      return "slower";
    case PeerVerdict::cannot_tell:
      return "cannot tell";
    case PeerVerdict::none:
      break;
  }
  return "";
}

}  // namespace shardmark::bench
