// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/engine_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench/harness/report/peer_ratios.hpp"
#include "bench/harness/report/waterfall.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/table.hpp"
#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {
namespace {

bool has_row(const CaseSummary& summary) {
  const CaseDescription& description = *summary.description;
  return is_peer(summary) || (description.family.comparison == Comparison::with_ceilings &&
                              !description.discards && summary.time_s);
}

bool has_number(const CaseSummary& summary) {
  return summary.time_s && !summary.skipped && summary.failed == 0;
}

std::string label_of(const CaseSummary& summary) {
  const CaseDescription& of = *summary.description;
  if (is_peer(summary)) {
    const auto engine = of.keys.find("engine");
    return engine == of.keys.end() ? of.variant : engine->second;
  }
  return fmt::format("shardmark {}{}{}", of.variant, of.extra.empty() ? "" : " ", of.extra);
}

/// Of sentences; the table itself is as wide as the terminal, or as it needs.
int text_width(const TextStyle& style) {
  constexpr int most = 112;
  return std::min(style.width.value_or(most), most);
}

/// Ours first, as the families are; of each engine its save, then its load.
std::vector<const CaseSummary*> rows_of(std::span<const CaseSummary> summaries,
                                        const std::string& group) {
  std::vector<const CaseSummary*> rows;
  for (const CaseSummary& summary : summaries) {
    if (summary.description->ceiling_group == group && has_row(summary)) {
      rows.push_back(&summary);
    }
  }
  return rows;
}

/// Why a row is marked; a line.
std::string mark(const CaseSummary& summary) {
  const std::string row =
      fmt::format("! {} {}: ", label_of(summary), operation_name(summary.description->operation));
  if (!is_peer(summary)) {
    return "";
  }
  if (summary.skipped) {
    return fmt::format("{}left out: {}\n", row, *summary.skipped);
  }
  if (has_number(summary) && !figures_agree(summary)) {
    return fmt::format("{}its own figure is {} of our clock's time of the same runs: no verdict\n",
                       row, summary.own_ratio ? ratio_text(*summary.own_ratio) : "no part");
  }
  return "";
}

std::string does_text(const CaseSummary& summary) {
  if (summary.description->operation == Operation::save) {
    return "save";
  }
  if (summary.cold == CacheState::client_cold) {
    return "cold load";
  }
  return summary.cold == CacheState::warm ? "warm load" : "load";
}

std::string raw_text(const CaseSummary& summary, std::span<const CaseSummary> summaries) {
  const CeilingShare shares = ceiling_shares(summary, summaries);
  const auto found = shares.find("posix-per-rank");
  return found == shares.end() ? "" : fmt::format("{:.0f}%", 100 * found->second);
}

std::string verdict_text(const CaseSummary& summary) {
  if (!summary.against_ours || !figures_agree(summary)) {
    return "";
  }
  const auto verdict = verdict_name(peer_verdict(summary));
  return fmt::format("{}{}{}", ratio_text(*summary.against_ours), verdict.empty() ? "" : " ",
                     verdict);
}

std::vector<std::string> cells(const CaseSummary& summary, const TimeUnit& unit,
                               std::span<const CaseSummary> summaries) {
  std::vector<std::string> row = {(mark(summary).empty() ? "" : "! ") + label_of(summary),
                                  does_text(summary)};
  if (!has_number(summary)) {
    row.emplace_back(summary.skipped ? "left out" : "failed");
    return row;
  }
  const auto stall = summary.spread_of("returned_s");
  row.push_back(spread_text(*summary.time_s, unit));
  row.push_back(stall ? format_seconds(stall->median, unit) : "");
  row.push_back(summary.peak_memory_bytes ? format_bytes(*summary.peak_memory_bytes) : "");
  row.push_back(summary.inventory ? fmt::format("{}", summary.inventory->files) : "");
  row.push_back(raw_text(summary, summaries));
  row.push_back(summary.own_ratio ? ratio_text(*summary.own_ratio) : "");
  row.push_back(verdict_text(summary));
  return row;
}

std::string table_of(std::span<const CaseSummary> summaries, const std::string& group,
                     const TextStyle& style) {
  using Align = Table::Align;
  const auto rows = rows_of(summaries, group);
  std::vector<double> seconds;
  for (const CaseSummary* row : rows) {
    seconds.push_back(has_number(*row) ? row->time_s->median : 0);
  }
  const TimeUnit unit = common_unit(seconds);
  Table table({{"engine", Align::left},
               {"does", Align::left},
               {"durable/time", Align::right},
               {"stall", Align::right},
               {"memory/rank", Align::right},
               {"files", Align::right},
               {"of raw", Align::right},
               {"own/ours", Align::right},
               {"over shardmark", Align::left}});
  std::string lines;
  for (const CaseSummary* row : rows) {
    table.add_row(cells(*row, unit, summaries));
    lines += mark(*row);
  }
  table.may_omit({"files", "memory/rank", "stall"});
  return fmt::format("\nengines, the same bytes of {} in the same rounds\n\n", group) +
         table.text(style) + wrapped(lines, text_width(style), 2);
}

}  // namespace

std::string engine_tables(std::span<const CaseSummary> summaries, const TextStyle& style) {
  std::vector<std::string> groups;
  for (const CaseSummary& summary : summaries) {
    const std::string& group = summary.description->ceiling_group;
    if (is_peer(summary) && std::ranges::find(groups, group) == groups.end()) {
      groups.push_back(group);
    }
  }
  std::string text;
  for (const std::string& group : groups) {
    text += table_of(summaries, group, style);
  }
  if (!groups.empty()) {
    text += wrapped(
        "durable: until all is synced, by our clock, start-up outside. stall: until the caller goes on. of raw: the rate over that of raw files, one a rank. own/ours: an engine's own figure over our clock's time of the same runs. over shardmark: its time over that of our fastest case, round by round; [..] holds the median with 95 % from six rounds on, and is a verdict where it has no 1.\n",
        text_width(style));
  }
  return text;
}

}  // namespace shardmark::bench
