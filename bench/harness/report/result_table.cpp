// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/result_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "bench/harness/report/engine_table.hpp"
#include "bench/harness/report/node_work.hpp"
#include "bench/harness/report/operation_table.hpp"
#include "bench/harness/report/same_layout.hpp"
#include "bench/harness/report/waterfall.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/table.hpp"
#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {
namespace {

template <typename Get>
std::set<std::string> distinct(std::span<const CaseSummary> summaries, const Get& get) {
  std::set<std::string> values;
  for (const CaseSummary& summary : summaries) {
    if (const std::string value = get(*summary.description); !value.empty()) {
      values.insert(value);
    }
  }
  return values;
}

std::string key_of(const CaseDescription& description, const std::string& key) {
  const auto found = description.keys.find(key);
  return found == description.keys.end() ? "" : found->second;
}

/// What tells rows apart: things that all share stand above the table.
class Labels {
 public:
  explicit Labels(std::span<const CaseSummary> summaries)
      : models_(distinct(summaries, [](const auto& d) { return d.model; })) {
    for (const std::string key : {"backend", "file_layout", "io"}) {
      const auto values = distinct(
          summaries, [&](const auto& d) { return d.family.uses_back_end ? key_of(d, key) : ""; });
      if (values.size() > 1) {
        varied_.push_back(key);
      } else if (!values.empty()) {
        shared_.push_back(*values.begin());
      }
    }
  }

  std::string variant(const CaseSummary& summary) const {
    const CaseDescription& description = *summary.description;
    std::vector<std::string> words;
    if (models_.size() > 1) {
      words.push_back(description.model);
    }
    if (description.family.uses_back_end) {
      for (const std::string& key : varied_) {
        words.push_back(key_of(description, key));
      }
    } else {
      words.push_back(short_name(description.variant));
    }
    words.push_back(description.extra);
    words.push_back(cache_text(summary.cold));
    std::erase(words, "");
    return fmt::format("{}", fmt::join(words, " "));
  }

  std::string heading(const RunContext& context) const {
    const int nodes = context.topology.num_nodes();
    const int ranks = context.num_ranks();
    std::string text = fmt::format("{}, {} rank{} on {} node{}", fmt::join(models_, " and "), ranks,
                                   ranks == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s");
    for (const std::string& word : shared_) {
      text += ", " + word;
    }
    return text + fmt::format(", {} at {}", context.filesystem.type, context.filesystem.path);
  }

 private:
  /// A hook without its verb.
  static std::string short_name(const std::string& variant) {
    for (const std::string_view verb : {"create_", "get_"}) {
      if (variant.starts_with(verb)) {
        return variant.substr(verb.size());
      }
    }
    return variant;
  }

  static std::string cache_text(const std::optional<CacheState>& cold) {
    if (!cold) {
      return "";
    }
    switch (*cold) {
      case CacheState::client_cold:
        return "cold";
      case CacheState::partly_cold:
        return "partly cold";
      case CacheState::warm:
        return "warm";
      case CacheState::unknown:
        break;
    }
    return "cache unknown";
  }

  std::set<std::string> models_;
  std::vector<std::string> varied_;
  std::vector<std::string> shared_;
};

/// Of all times in the table, whose columns are read together.
TimeUnit unit_of_times(std::span<const CaseSummary> summaries) {
  std::vector<double> seconds;
  for (const CaseSummary& summary : summaries) {
    for (const auto& spread : {summary.time_s, summary.spread_of("returned_s")}) {
      if (spread && summary.failed == 0) {
        seconds.push_back(spread->median);
      }
    }
  }
  return common_unit(seconds);
}

std::string time_text(const CaseSummary& summary, const TimeUnit& unit) {
  if (summary.failed > 0) {
    return fmt::format("failed, {} of {}", summary.failed, summary.repetitions);
  }
  if (summary.skipped) {
    return "skipped";
  }
  return summary.time_s ? spread_text(*summary.time_s, unit) : "";
}

/// Of the fastest raw files, a file a rank, of the same bytes.
std::string share_text(const CeilingShare& shares) {
  const auto found = shares.find("posix-per-rank");
  return found == shares.end() ? "" : fmt::format("{:.0f}%", 100 * found->second);
}

std::vector<std::string> row(const CaseSummary& summary, const Labels& labels, const TimeUnit& unit,
                             const std::optional<std::string>& share) {
  const CaseDescription& description = *summary.description;
  std::vector<std::string> cells = {std::string(description.family.name), description.strategy,
                                    labels.variant(summary)};
  const auto returned = summary.spread_of("returned_s");
  const bool good = summary.time_s && summary.failed == 0 && !summary.skipped;
  cells.push_back(good && summary.num_bytes ? format_bytes(*summary.num_bytes) : "");
  cells.push_back(good && returned ? format_seconds(returned->median, unit) : "");
  cells.push_back(time_text(summary, unit));
  if (!good) {
    return cells;
  }
  cells.push_back(summary.rate_bytes_per_s ? three_digits(*summary.rate_bytes_per_s / gib) : "");
  if (share) {
    cells.push_back(*share);
  }
  cells.push_back(summary.imbalance ? three_digits(*summary.imbalance) : "");
  const auto& slowest = summary.slowest_phase;
  cells.push_back(slowest ? fmt::format("{} {:.0f}% r{}", phase_name(slowest->phase),
                                        100 * slowest->share, slowest->rank)
                          : "");
  return cells;
}

std::string remarks(std::span<const CaseSummary> summaries) {
  std::string text;
  std::map<std::string, std::vector<std::string>> skipped;  // names by reason
  for (const CaseSummary& summary : summaries) {
    if (summary.error) {
      text += fmt::format("failed: {}: rank {}: {}\n", summary.description->name,
                          summary.error->rank, summary.error->message);
    }
    if (summary.skipped) {
      skipped[*summary.skipped].push_back(summary.description->name);
    }
  }
  for (const auto& [reason, names] : skipped) {
    text += names.size() == 1 ? fmt::format("skipped: {}: {}\n", names.front(), reason)
                              : fmt::format("skipped: {} cases: {}\n", names.size(), reason);
  }
  return text;
}

/// Which node works longer than the others, where there are several; every sentence a line.
std::string node_remarks(const RunContext& context, std::span<const CaseSummary> summaries) {
  if (context.topology.num_nodes() < 2) {
    return "";
  }
  std::map<int, std::vector<std::string>> slow;  // cases by node
  std::optional<SlowestNode> largest;
  for (const CaseSummary& summary : summaries) {
    const auto slowest = slowest_node(mean_by_node(summary.shared_work_s, context.topology));
    if (!slowest || !summary.description->family.uses_back_end) {
      continue;
    }
    largest = !largest || slowest->excess > largest->excess ? slowest : largest;
    if (slowest->excess > slow_node_excess) {
      slow[slowest->node].push_back(fmt::format("{} {} +{:.0f} %", summary.description->family.name,
                                                summary.description->strategy,
                                                100 * slowest->excess));
    }
  }
  const auto host = [&](int node) {
    return context.topology.host_of_node[static_cast<std::size_t>(node)];
  };
  if (slow.empty()) {
    return largest
               ? fmt::format(
                     "nodes: none stands out; {} works longest, {:.0f} % above the middle one\n",
                     host(largest->node), 100 * largest->excess)
               : "";
  }
  std::string text;
  for (const auto& [node, cases] : slow) {
    text += fmt::format("slow node: {} works longer than the middle node: {}\n", host(node),
                        fmt::join(cases, ", "));
  }
  return text;
}

/// What is of some ranks of a bigger world must not be read as that world's.
std::string played_text(const std::map<std::string, std::string>& facts) {
  return facts.empty() ? std::string()
                       : fmt::format("Measured: {}.\nNot there: {}.\n", facts.at("measured"),
                                     facts.at("not_there"));
}

std::string legend(std::span<const CaseSummary> summaries) {
  int repetitions = 0;
  for (const CaseSummary& summary : summaries) {
    repetitions = std::max(repetitions, summary.repetitions);
  }
  return fmt::format(
      "Medians [min..max] of {} repetition{}. Times run from a barrier to the end of the slowest rank: of saves until the caller goes on (returned) and until all fsyncs and the rename are done (durable). GiB/s: bytes / median time. imbal: busiest rank / mean. slowest phase: its share of the time, its rank. cold, warm: page caches of these nodes; servers are not seen.\n",
      repetitions, repetitions == 1 ? "" : "s");
}

}  // namespace

std::string result_table(const RunContext& context, std::span<const CaseSummary> summaries,
                         const std::string& directory, const TextStyle& style) {
  using Align = Table::Align;
  const Labels labels(summaries);
  const std::vector<Waterfall> falls = waterfalls(summaries);
  std::vector<Table::Column> columns = {
      {"family", Align::left}, {"strategy", Align::left},  {"case", Align::left},
      {"bytes", Align::right}, {"returned", Align::right}, {"durable/time", Align::right},
      {"GiB/s", Align::right}, {"imbal", Align::right},    {"slowest phase", Align::left}};
  if (!falls.empty()) {
    columns.insert(columns.begin() + 7, {"of raw", Align::right});
  }
  const TimeUnit unit = unit_of_times(summaries);
  Table table(columns);
  for (const CaseSummary& summary : summaries) {
    if (summary.description->family.comparison == Comparison::is_ceiling && summary.time_s &&
        summary.failed == 0) {
      continue;  // stands in the waterfall
    }
    if (summary.description->family.comparison == Comparison::is_peer) {
      continue;  // stands in the table of engines
    }
    table.add_row(row(summary, labels, unit,
                      falls.empty()
                          ? std::nullopt
                          : std::optional(share_text(ceiling_shares(summary, summaries)))));
  }
  table.may_omit({"imbal", "of raw", "returned", "bytes", "slowest phase"});
  TextStyle fitted = style;
  fitted.width = std::min(style.width.value_or(max_table_width), max_table_width);
  std::string text = labels.heading(context) + "\n" +
                     wrapped(played_text(context.played), fitted.width) + "\n" +
                     table.text(fitted) + "\n" + remarks(summaries) +
                     wrapped(same_layout_text(summaries), fitted.width) +
                     wrapped(node_remarks(context, summaries), fitted.width) +
                     wrapped(legend(summaries), fitted.width);
  if (!falls.empty()) {
    text += wrapped(
        "of raw: the rate over that of raw files, one a rank (the faster of buffered and O_DIRECT).\n",
        fitted.width);
    text += waterfall_text(falls, summaries);
  }
  text += operation_table(summaries, fitted);
  text += engine_tables(summaries, style);
  if (!directory.empty()) {
    text += fmt::format(
        "\nresults: {0}/samples.json (every sample; keys: results/README.md)\n"
        "         {0}/benchmark.json (Google Benchmark's form)\n"
        "         {0}/trace.json (every rank's phases, for a trace viewer)\n",
        directory);
  }
  return text;
}

}  // namespace shardmark::bench
