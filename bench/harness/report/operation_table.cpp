// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/operation_table.hpp"

#include <fmt/format.h>

#include <cmath>

#include "bench/text/human_units.hpp"
#include "bench/text/table.hpp"
#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {
namespace {

// Beyond this the kernel's count and ours are told apart in words.
constexpr double tolerated_difference = 0.05;

bool is_listed(const CaseSummary& summary) {
  return summary.description->family.comparison == Comparison::with_ceilings && summary.time_s &&
         summary.failed == 0;
}

/// The case in few words: "save fsdp shared-direct".
std::string short_name(const CaseSummary& summary) {
  const CaseDescription& d = *summary.description;
  return fmt::format("{} {} {}{}{}", d.family.name, d.strategy, d.variant,
                     d.extra.empty() ? "" : " ", d.extra);
}

std::string bytes_text(const std::optional<std::int64_t>& bytes) {
  return bytes ? format_bytes(*bytes) : "";
}

std::string below_text(const CaseSummary& summary) {
  const auto& moved = summary.bytes_moved;
  if (!moved || !summary.bytes_below || *moved <= 0) {
    return "";
  }
  const double ratio = static_cast<double>(*summary.bytes_below) / static_cast<double>(*moved);
  if (std::abs(ratio - 1) <= tolerated_difference) {
    return "";
  }
  const bool saves = summary.description->operation == Operation::save;
  const char* why = saves       ? ratio < 1 ? "memory file systems count nothing"
                                            : "metadata, padding or writing the same block twice"
                    : ratio < 1 ? "the page cache gave the rest, or ranks of a node shared it"
                                : "read ahead, or read for checksums";
  return fmt::format("below us: {}: {} {}, the kernel counted {} ({:+.0f} %): {}\n",
                     short_name(summary), format_bytes(*moved), saves ? "written" : "read",
                     format_bytes(*summary.bytes_below), 100 * (ratio - 1), why);
}

std::string cold_text(const CaseSummary& summary) {
  if (!summary.cold) {
    return "";
  }
  const std::string fraction =
      summary.resident_fraction
          ? fmt::format(", at most {:.2f} % of the pages resident just before it",
                        100 * *summary.resident_fraction)
          : "";
  return fmt::format("read certificate: {}: {} in the worst of {} repetition{}{}\n",
                     short_name(summary), cache_state_name(*summary.cold), summary.repetitions,
                     summary.repetitions == 1 ? "" : "s", fraction);
}

double metric(const CaseSummary& summary, const std::string& key) {
  const auto found = summary.metrics.find(key);
  return found == summary.metrics.end() ? 0 : found->second;
}

std::string why_text(const CaseSummary& summary) {
  std::string text;
  for (const IoExplanation& each : summary.why) {
    text += fmt::format("why: {}: {}. Mends it: {}\n", short_name(summary), each.text, each.knob);
  }
  return text;
}

/// Hash rates, which only the back end null measures by themselves.
std::string hash_text(const CaseSummary& summary) {
  std::string text;
  for (const std::string kind : {"contiguous", "strided"}) {
    const double seconds = metric(summary, "hashed_" + kind + "_s");
    if (seconds > 0) {
      text += fmt::format("hashing: {}: {} boxes at {} a rank\n", short_name(summary), kind,
                          format_rate(metric(summary, "hashed_" + kind + "_bytes") / seconds));
    }
  }
  return text;
}

std::string interference_text(const CaseSummary& summary) {
  const double alone_s = metric(summary, "step_alone_s");
  const double during_s = metric(summary, "step_during_save_s");
  if (alone_s <= 0 || during_s <= 0) {
    return "";
  }
  return fmt::format(
      "interference: {}: {:.1f} steps/s alone, {:.1f} during the save: {:.2f} times as slow\n",
      short_name(summary), 1 / alone_s, 1 / during_s, during_s / alone_s);
}

}  // namespace

std::string operation_table(std::span<const CaseSummary> summaries, const TextStyle& style) {
  using Align = Table::Align;
  Table table({{"beside the time", Align::left},
               {"visible", Align::right},
               {"memory/rank", Align::right},
               {"requests", Align::right},
               {"moved", Align::right},
               {"below us", Align::right},
               {"files", Align::right},
               {"padding", Align::right}});
  std::vector<double> seconds;
  for (const CaseSummary& summary : summaries) {
    const auto visible = summary.spread_of("visible_s");
    seconds.push_back(visible ? visible->median : 0);
  }
  const TimeUnit unit = common_unit(seconds);
  std::string lines;
  bool any = false;
  for (const CaseSummary& summary : summaries) {
    if (!is_listed(summary)) {
      continue;
    }
    any = true;
    const auto visible = summary.spread_of("visible_s");
    const auto& inventory = summary.inventory;
    table.add_row({short_name(summary), visible ? format_seconds(visible->median, unit) : "",
                   bytes_text(summary.peak_memory_bytes),
                   summary.requests ? fmt::format("{}", *summary.requests) : "",
                   bytes_text(summary.bytes_moved), bytes_text(summary.bytes_below),
                   inventory ? fmt::format("{}", inventory->files) : "",
                   inventory ? format_bytes(inventory->padding_bytes) : ""});
    lines += cold_text(summary) + below_text(summary) + why_text(summary) + hash_text(summary) +
             interference_text(summary);
  }
  if (!any) {
    return "";
  }
  table.may_omit({"padding", "files", "requests", "moved"});
  return std::string("\n") + table.text(style) +
         wrapped(
             "visible: until observers have read it. memory/rank: most beyond the tensors. below us: the kernel's count.\n" +
                 lines,
             style.width, 2);
}

}  // namespace shardmark::bench
