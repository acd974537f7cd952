// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/same_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace shardmark::bench {
namespace {

const std::string& key(const CaseDescription& of, const std::string& name) {
  static const std::string none;
  const auto found = of.keys.find(name);
  return found == of.keys.end() ? none : found->second;
}

bool is_same_layout(const CaseDescription& of) {
  return key(of, "saved_strategy") == of.strategy &&
         key(of, "saved_ranks") == key(of, "load_ranks");
}

/// Everything about a case but where its checkpoint comes from.
std::string loading(const CaseDescription& of) {
  std::string text = of.model + "\n" + of.strategy;
  for (const auto& [name, value] : of.keys) {
    if (!name.starts_with("saved_")) {
      text += "\n" + name + "=" + value;
    }
  }
  return text;
}

/// Seconds by case and round.
using Times = std::map<std::size_t, std::map<int, double>>;

Times good_times(std::span<const Sample> samples) {
  Times times;
  for (const Sample& sample : samples) {
    if (!sample.error && !sample.skipped && sample.time_s) {
      times[sample.case_index][sample.repetition] = *sample.time_s;
    }
  }
  return times;
}

}  // namespace

void compare_with_same_layout(std::span<CaseSummary> summaries, std::span<const Sample> samples) {
  std::map<std::string, std::size_t> base;
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const CaseDescription& of = *summaries[i].description;
    if (of.family.comparison == Comparison::with_same_layout && is_same_layout(of)) {
      base[loading(of)] = i;
    }
  }
  const Times times = good_times(samples);
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const CaseDescription& of = *summaries[i].description;
    const auto found =
        of.family.comparison == Comparison::with_same_layout ? base.find(loading(of)) : base.end();
    if (found == base.end() || found->second == i || !times.contains(i) ||
        !times.contains(found->second)) {
      continue;
    }
    std::vector<double> ratios;
    for (const auto& [round, seconds] : times.at(i)) {
      const auto same = times.at(found->second).find(round);
      if (same != times.at(found->second).end() && same->second > 0) {
        ratios.push_back(seconds / same->second);
      }
    }
    summaries[i].same_layout_ratio = spread_over(std::move(ratios));
  }
}

std::string same_layout_text(std::span<const CaseSummary> summaries) {
  const CaseSummary* worst = nullptr;
  const CaseSummary* widest = nullptr;
  for (const CaseSummary& summary : summaries) {
    if (summary.same_layout_ratio && (worst == nullptr || summary.same_layout_ratio->median >
                                                              worst->same_layout_ratio->median)) {
      worst = &summary;
    }
    if (summary.amplification &&
        (widest == nullptr || *summary.amplification > *widest->amplification)) {
      widest = &summary;
    }
  }
  std::string text;
  const auto pair = [](const CaseSummary& summary) {
    return fmt::format("{} to {}", key(*summary.description, "saved_strategy"),
                       summary.description->strategy);
  };
  if (worst != nullptr) {
    const TimeSpread& ratio = *worst->same_layout_ratio;
    text += fmt::format(
        "reshard: worst pair {}: {:.2f} [{:.2f}..{:.2f}] of the time of the same bytes in their own layout\n",
        pair(*worst), ratio.median, ratio.min, ratio.max);
  }
  if (widest != nullptr) {
    text += fmt::format("reshard: at most {:.3f} bytes asked of storage per byte needed ({})\n",
                        *widest->amplification, pair(*widest));
  }
  return text;
}

}  // namespace shardmark::bench
