// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/waterfall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "bench/harness/report/time_spread.hpp"

namespace shardmark::bench {
namespace {

constexpr std::array<std::string_view, 5> ceiling_layers = {"memcpy", "posix-per-rank",
                                                            "posix-shared", "mpi-io", "bare-hdf5"};

std::string key_of(const CaseSummary& summary, const std::string& key) {
  const auto found = summary.description->keys.find(key);
  return found == summary.description->keys.end() ? "" : found->second;
}

bool is_ceiling(const CaseDescription& description) {
  return description.family.comparison == Comparison::is_ceiling;
}

bool is_ceiling_of(const CaseSummary& summary, const std::string& group, Operation operation) {
  const CaseDescription& description = *summary.description;
  return is_ceiling(description) && description.ceiling_group == group &&
         description.operation == operation && summary.rate_bytes_per_s;
}

/// The fastest ceiling of a layer.
const CaseSummary* best_of(std::span<const CaseSummary> summaries, const std::string& group,
                           Operation operation, std::string_view layer) {
  const CaseSummary* best = nullptr;
  for (const CaseSummary& summary : summaries) {
    if (is_ceiling_of(summary, group, operation) && key_of(summary, "ceiling") == layer &&
        (best == nullptr || *summary.rate_bytes_per_s > *best->rate_bytes_per_s)) {
      best = &summary;
    }
  }
  return best;
}

bool is_judged(const CaseSummary& summary) {
  return summary.description->family.comparison == Comparison::with_ceilings &&
         summary.rate_bytes_per_s && !summary.description->discards;
}

Waterfall waterfall_of(std::span<const CaseSummary> summaries, const std::string& group,
                       Operation operation) {
  Waterfall waterfall{group, operation, {}};
  const CaseSummary* below = nullptr;
  const auto append = [&](std::string layer, const CaseSummary& summary) {
    std::optional<double> of_below;
    if (below != nullptr) {
      of_below = *summary.rate_bytes_per_s / *below->rate_bytes_per_s;
    }
    waterfall.layers.push_back({std::move(layer), &summary, of_below});
  };
  for (const std::string_view layer : ceiling_layers) {
    if (const CaseSummary* best = best_of(summaries, group, operation, layer)) {
      append(std::string(layer), *best);
      below = best;
    }
  }
  if (below == nullptr) {
    return waterfall;
  }
  for (const CaseSummary& summary : summaries) {
    if (is_judged(summary) && summary.description->ceiling_group == group &&
        summary.description->operation == operation) {
      append("shardmark", summary);
    }
  }
  return waterfall;
}

/// The variant of a ceiling without its direction: "posix-shared-direct".
std::string kind_name(const CaseSummary& ceiling) {
  const std::string& variant = ceiling.description->variant;
  return variant.substr(0, variant.rfind('-'));
}

/// `layer` is empty for what is not part of the waterfall.
std::string line_of(const CaseSummary& summary, const std::string& layer,
                    const std::optional<double>& of_below, const TimeUnit& unit) {
  const CaseDescription& description = *summary.description;
  std::string name = is_ceiling(description) ? kind_name(summary)
                                             : fmt::format("shardmark {}", description.variant);
  name += (description.extra.empty() ? "" : " ") + description.extra;
  const double gib_per_s = *summary.rate_bytes_per_s / gib;
  return fmt::format("  {:<40} {:>7}  {:>5}  {}\n", layer.empty() ? "  (" + name + ")" : name,
                     three_digits(gib_per_s),
                     of_below ? fmt::format("{:.0f}%", 100 * *of_below) : "",
                     spread_text(*summary.time_s, unit));
}

}  // namespace

std::vector<Waterfall> waterfalls(std::span<const CaseSummary> summaries) {
  std::vector<Waterfall> all;
  for (const CaseSummary& summary : summaries) {
    if (!is_ceiling(*summary.description) || !summary.rate_bytes_per_s) {
      continue;
    }
    const std::string& group = summary.description->ceiling_group;
    const Operation operation = summary.description->operation;
    const bool known = std::ranges::any_of(all, [&](const Waterfall& made) {
      return made.group == group && made.operation == operation;
    });
    if (!known) {
      all.push_back(waterfall_of(summaries, group, operation));
    }
  }
  return all;
}

CeilingShare ceiling_shares(const CaseSummary& summary, std::span<const CaseSummary> summaries) {
  CeilingShare shares;
  const bool is_peer = summary.description->family.comparison == Comparison::is_peer;
  if (!is_judged(summary) && !(is_peer && summary.rate_bytes_per_s)) {
    return shares;
  }
  for (const CaseSummary& ceiling : summaries) {
    if (!is_ceiling_of(ceiling, summary.description->ceiling_group,
                       summary.description->operation)) {
      continue;
    }
    const double share = *summary.rate_bytes_per_s / *ceiling.rate_bytes_per_s;
    shares[kind_name(ceiling)] = share;
    // Of the faster ceiling of a layer, the smaller share.
    const auto [layer, is_new] = shares.emplace(key_of(ceiling, "ceiling"), share);
    layer->second = is_new ? share : std::min(layer->second, share);
  }
  return shares;
}

std::string waterfall_text(std::span<const Waterfall> waterfalls,
                           std::span<const CaseSummary> summaries) {
  std::string text;
  for (const Waterfall& waterfall : waterfalls) {
    text += fmt::format("\nwaterfall, {} of {}: GiB/s, % of the layer above, time\n",
                        operation_name(waterfall.operation), waterfall.group);
    std::vector<double> seconds;
    for (const WaterfallLayer& layer : waterfall.layers) {
      seconds.push_back(layer.summary->time_s->median);
    }
    const TimeUnit unit = common_unit(seconds);
    for (const WaterfallLayer& layer : waterfall.layers) {
      text += line_of(*layer.summary, layer.layer, layer.of_below, unit);
      for (const CaseSummary& other : summaries) {
        if (&other != layer.summary && layer.layer != "shardmark" &&
            is_ceiling_of(other, waterfall.group, waterfall.operation) &&
            key_of(other, "ceiling") == layer.layer) {
          text += line_of(other, "", std::nullopt, unit);
        }
      }
    }
  }
  return text;
}

}  // namespace shardmark::bench
