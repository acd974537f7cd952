// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/plan_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>

#include "bench/cli/commands/phase_report.hpp"
#include "bench/cli/commands/planned_files.hpp"
#include "bench/cli/commands/predicted_cost.hpp"
#include "bench/cli/commands/predicted_cost_report.hpp"
#include "bench/cli/commands/storage_model.hpp"
#include "bench/config/error_origin.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/memory_check.hpp"
#include "bench/machine/memory_usage.hpp"
#include "bench/plan/virtual_planning.hpp"
#include "bench/suite/families.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/printed_json.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/workload/job.hpp"

namespace shardmark::bench {
namespace {

/// Ranks [first, last) that the figures count.
struct RankRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

/// "A:B", B excluded; either may be left out.
Result<RankRange> parse_ranks(const std::string& text, std::int64_t world_size) {
  RankRange range{0, world_size};
  if (text.empty()) {
    return range;
  }
  const std::size_t colon = text.find(':');
  const auto parse = [](std::string_view part, std::int64_t& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return part.empty() || (error == std::errc() && end == part.data() + part.size());
  };
  if (colon == std::string::npos || !parse(std::string_view(text).substr(0, colon), range.first) ||
      !parse(std::string_view(text).substr(colon + 1), range.last) || range.first < 0 ||
      range.first >= range.last || range.last > world_size) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("--ranks '{}': expected A:B with 0 <= A < B <= {}, as in 0:8", text,
                             world_size)};
  }
  return range;
}

/// Of bytes per rank.
struct Spread {
  std::int64_t min = 0;
  double mean = 0;
  std::int64_t max = 0;
};

/// `bytes` holds the counted ranks' and is not empty.
Spread spread_of(std::span<const std::int64_t> bytes) {
  const auto [min, max] = std::minmax_element(bytes.begin(), bytes.end());
  const auto sum = std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
  return {*min, static_cast<double>(sum) / static_cast<double>(bytes.size()), *max};
}

/// The figures of one plan.
struct PlanSummary {
  std::int64_t world_size = 0;
  RankRange ranks;
  double scale = 1;  // of the model
  std::int64_t tensors = 0;
  std::int64_t items = 0;
  std::int64_t num_bytes = 0;
  Spread written;                     // by a rank
  Spread held;                        // by a rank, replicas included
  std::int64_t staging_per_rank = 0;  // at most, beside the tensors
  std::int64_t deduplicated_bytes = 0;
  PlannedFiles files;
  PlanTraffic traffic;  // that a real world of this size would send
  std::optional<std::int64_t> coordinator_memory_bytes;  // peak, beyond the tensors' descriptions
  std::string planner;
  std::string dedup;
  std::optional<Workload::Uncut> uncut;
  bool run_keeps_files = false;
  std::vector<std::string> notes;
  double first_s = 0;                 // see VirtualClocks::latest_s
  std::optional<double> cached_s;     // likewise, with planner.cache
  std::vector<int> played_ranks;      // whose times were taken
  std::vector<PhaseTimes> times;      // by played rank
  std::optional<PredictedCost> cost;  // where a storage is described

  double imbalance() const {
    return written.mean > 0 ? static_cast<double>(written.max) / written.mean : 1;
  }
};

Result<PlanSummary> summarise(const Config& config, std::int64_t world_size, RankRange ranks,
                              const std::optional<StorageModel>& storage) {
  SHARDMARK_ASSIGN_OR_RETURN(VirtualPlanning world, VirtualPlanning::make(config, world_size));
  const PeakMemoryWatch memory;
  SHARDMARK_ASSIGN_OR_RETURN(const SavePlanning planning, world.plan());
  const std::optional<std::int64_t> peak_bytes = memory.peak_bytes();
  planning.global->ensure_statistics();
  const SavePlanStatistics& statistics = planning.global->statistics;
  PlanSummary summary;
  summary.world_size = world_size;
  summary.ranks = ranks;
  summary.scale = config.model.scale.value_or(1);
  summary.planner = config.planner.kind;
  summary.dedup = config.planner.dedup;
  summary.played_ranks.assign(world.played_ranks().begin(), world.played_ranks().end());
  for (const int rank : world.played_ranks()) {
    summary.times.push_back(world.clocks().steps_of(rank));
  }
  summary.first_s = world.clocks().latest_s();
  summary.traffic = world.traffic();
  if (config.planner.cache) {
    SHARDMARK_RETURN_IF_ERROR(world.plan());
    summary.cached_s = world.clocks().latest_s();
  }
  summary.deduplicated_bytes = statistics.deduplicated_bytes;
  summary.tensors =
      std::count_if(planning.entries->entries.begin(), planning.entries->entries.end(),
                    [](const Entry& e) { return e.kind == EntryKind::tensor; });
  const auto counted = [&](const auto& by_rank) {
    return std::span(by_rank).subspan(static_cast<std::size_t>(ranks.first),
                                      static_cast<std::size_t>(ranks.last - ranks.first));
  };
  const auto sum = [&](const auto& by_rank) {
    const auto part = counted(by_rank);
    return std::accumulate(part.begin(), part.end(), std::int64_t{0});
  };
  summary.num_bytes = sum(statistics.rank_bytes);
  summary.items = sum(statistics.rank_items);
  summary.written = spread_of(counted(statistics.rank_bytes));
  summary.held = spread_of(counted(statistics.rank_held_bytes));
  summary.staging_per_rank = memory_need(config, summary.held.max, 1).staging;
  summary.files =
      plan_files(storage_options(config), *planning.entries, *planning.global, world_size);
  if (storage) {
    const auto ranks_on_node =
        static_cast<int>(std::min<std::int64_t>(storage->ranks_per_node, world_size));
    summary.cost = predict_cost(
        {.written = statistics.rank_bytes,
         .held = statistics.rank_held_bytes,
         .files = summary.files.files,
         .messages = static_cast<std::int64_t>(summary.traffic.messages),
         .plan_s = summary.cached_s.value_or(summary.first_s),
         .async = config.storage.async,
         .staging_per_rank = memory_need(config, summary.held.max, ranks_on_node).staging},
        *storage);
  }
  summary.coordinator_memory_bytes = peak_bytes;
  summary.uncut = world.workload().uncut();
  summary.run_keeps_files =
      runs_any(config.run, [&](const FamilyTraits& family) { return keeps_files(family, config); });
  summary.notes = world.workload().notes();
  return summary;
}

nlohmann::ordered_json spread_document(const Spread& spread) {
  return {{"min", spread.min}, {"mean", spread.mean}, {"max", spread.max}};
}

std::string spread_text(const Spread& spread) {
  return fmt::format("min {}, mean {}, max {}", format_bytes(spread.min),
                     format_bytes(static_cast<std::int64_t>(spread.mean)),
                     format_bytes(spread.max));
}

std::string json_text(const PlanSummary& s) {
  nlohmann::ordered_json document;
  document["world_size"] = s.world_size;
  document["ranks"] = {s.ranks.first, s.ranks.last};
  document["scale"] = s.scale;
  document["tensors"] = s.tensors;
  document["items"] = s.items;
  document["num_bytes"] = s.num_bytes;
  document["bytes_per_rank"] = spread_document(s.written);
  document["memory_per_rank"] = spread_document(s.held);
  document["staging_per_rank"] = s.staging_per_rank;
  document["imbalance"] = s.imbalance();
  document["deduplicated_bytes"] = s.deduplicated_bytes;
  document["files"] = s.files.files;
  document["file_layout"] = s.files.layout;
  document["layout_reasons"] = s.files.reasons;
  document["metadata_bytes"] = s.files.metadata_bytes;
  document["checksum_bytes"] = s.files.checksum_bytes;
  document["messages"] = s.traffic.messages;
  document["bytes_gathered"] = s.traffic.bytes_gathered;
  document["gathered_by_level"] = nlohmann::ordered_json::array();
  for (const LevelTraffic& level : s.traffic.gathered_by_level) {
    document["gathered_by_level"].push_back({{"messages", level.messages},
                                             {"num_bytes", level.bytes},
                                             {"largest_message_bytes", level.largest_bytes}});
  }
  document["bytes_scattered"] = s.traffic.bytes_scattered + s.traffic.bytes_broadcast;
  document["coordinator_memory_bytes"] = nullptr;
  if (s.coordinator_memory_bytes) {
    document["coordinator_memory_bytes"] = *s.coordinator_memory_bytes;
  }
  document["run_keeps_files"] = s.run_keeps_files;
  document["uncut"] = nullptr;
  if (s.uncut) {
    document["uncut"] = {{"tensors", s.uncut->all.tensors},
                         {"num_bytes", s.uncut->all.num_bytes},
                         {"unknown_tensors", s.uncut->unknown.tensors},
                         {"unknown_bytes", s.uncut->unknown.num_bytes}};
  }
  document["notes"] = s.notes;
  document["planner"] = s.planner;
  document["dedup"] = s.dedup;
  document["first_s"] = s.first_s;
  document["cached_s"] = nullptr;
  if (s.cached_s) {
    document["cached_s"] = *s.cached_s;
  }
  document["played_ranks"] = s.played_ranks.size();
  document["cost"] = nullptr;
  if (s.cost) {
    document["cost"] = cost_document(*s.cost);
  }
  document["times_s"] = phases_document(s.times, save_phases, s.played_ranks);
  return printed_json(document);
}

std::string levels_text(std::span<const LevelTraffic> levels) {
  std::string text;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const LevelTraffic& level = levels[i];
    text += fmt::format("    {} step{} from rank 0: {} in {} messages, the largest {}\n", i + 1,
                        i == 0 ? "" : "s", format_bytes(static_cast<std::int64_t>(level.bytes)),
                        format_count(static_cast<std::int64_t>(level.messages)),
                        format_bytes(static_cast<std::int64_t>(level.largest_bytes)));
  }
  return text;
}

std::string human_text(const PlanSummary& s, const Config& config) {
  const bool part = s.ranks.last - s.ranks.first != s.world_size;
  // A job has its own states.
  const std::string states = config.model.job.empty() ? " with " + config.model.optimizer : "";
  std::string text =
      fmt::format("{}{}, {}, {} virtual ranks, planner {}, dedup {}\n\n", config.model.name, states,
                  config.parallel.strategy, format_count(s.world_size), s.planner, s.dedup);
  if (part) {
    text +=
        fmt::format("  counted           ranks {} to {} only\n", s.ranks.first, s.ranks.last - 1);
  }
  text += fmt::format(
      "  stored            {} ({} bytes), {} tensors\n"
      "  write items       {} before de-duplication, which saves {}\n"
      "  bytes per rank    {}; imbalance {:.3f}\n"
      "  memory per rank   {}, replicas included; beside it at most {} for staging\n"
      "  files             {}, layout {}; manifest {}, checksums {}\n"
      "  on the wire       {} gathered, {} scattered\n",
      format_bytes(s.num_bytes), format_count(s.num_bytes), format_count(s.tensors),
      format_count(s.items), format_bytes(s.deduplicated_bytes), spread_text(s.written),
      s.imbalance(), spread_text(s.held), format_bytes(s.staging_per_rank), s.files.files,
      s.files.layout, format_bytes(s.files.metadata_bytes), format_bytes(s.files.checksum_bytes),
      format_bytes(static_cast<std::int64_t>(s.traffic.bytes_gathered)),
      format_bytes(
          static_cast<std::int64_t>(s.traffic.bytes_scattered + s.traffic.bytes_broadcast)));
  if (s.uncut) {
    text += fmt::format("  uncut by tp       {} of {} tensors; without a known name: {} of {}\n",
                        format_bytes(s.uncut->all.num_bytes), format_count(s.uncut->all.tensors),
                        format_bytes(s.uncut->unknown.num_bytes),
                        format_count(s.uncut->unknown.tensors));
  }
  if (s.traffic.gathered_by_level.size() > 1) {
    text += levels_text(s.traffic.gathered_by_level);
  }
  if (s.coordinator_memory_bytes) {
    text += fmt::format("  planning memory   {} at its peak\n",
                        format_bytes(*s.coordinator_memory_bytes));
  }
  for (const auto& [reason, tensors] : s.files.reasons) {
    text += fmt::format("  {} tensors: {}\n", format_count(tensors), reason);
  }
  for (const std::string& note : s.notes) {
    text += fmt::format("  note: {}\n", note);
  }
  if (s.cached_s) {
    text += fmt::format("  first plan {}, cached {} ({:.2f} % of it)\n", format_seconds(s.first_s),
                        format_seconds(*s.cached_s), 100 * *s.cached_s / s.first_s);
  }
  if (s.cost) {
    text += cost_text(*s.cost);
  }
  return text + "\n" + phases_table(s.times, save_phases, s.played_ranks);
}

}  // namespace

Result<CommandOutput> plan_command(const PlanArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config.config, arguments.config.overrides));
  SHARDMARK_ASSIGN_OR_RETURN(const Config config, resolve(document));
  std::int64_t usual = config.run.ranks;
  if (!config.model.job.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(const auto job, read_job(config.model.job));
    usual = job->world_size;
  }
  const std::int64_t world_size = arguments.world_size.value_or(usual);
  constexpr std::int64_t max_world_size = std::int64_t{1} << 24;
  if (world_size < 1 || world_size > max_world_size) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("--world {}: expected 1 to {} ranks", world_size, max_world_size)};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const RankRange ranks, parse_ranks(arguments.ranks, world_size));
  std::optional<StorageModel> storage;
  if (!arguments.storage.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(storage, read_storage_model(arguments.storage));
  }
  SHARDMARK_ASSIGN_OR_RETURN(const PlanSummary summary,
                             with_origin(summarise(config, world_size, ranks, storage), config));
  return CommandOutput{arguments.json ? json_text(summary) : human_text(summary, config)};
}

}  // namespace shardmark::bench
