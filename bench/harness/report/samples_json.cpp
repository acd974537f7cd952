// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/samples_json.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

#include "bench/harness/report/node_work.hpp"
#include "bench/harness/report/peer_ratios.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/harness/report/waterfall.hpp"

namespace shardmark::bench {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json value_json(const FileSystem& filesystem) {
  Json json = {{"type", filesystem.type}, {"path", filesystem.path}};
  for (const auto& [key, text] :
       {std::pair("server", &FileSystem::server), std::pair("options", &FileSystem::options),
        std::pair("weaker", &FileSystem::weaker)}) {
    if (!(filesystem.*text).empty()) {
      json[key] = filesystem.*text;
    }
  }
  for (const auto& [key, number] : {std::pair("stripe_size_bytes", &FileSystem::stripe_size_bytes),
                                    std::pair("stripe_count", &FileSystem::stripe_count)}) {
    if (filesystem.*number > 0) {
      json[key] = filesystem.*number;
    }
  }
  return json;
}
Json value_json(const MpiIo& mpi_io) {
  return {{"component", mpi_io.component}, {"hints", Json(mpi_io.hints)}};
}
Json value_json(const auto& value) {
  return value;
}

Json context_json(const RunContext& context) {
  Json json = Json::object();
  for (const ContextEntry& entry : context_entries(context)) {
    json[std::string(entry.key)] =
        std::visit([](const auto& value) { return value_json(value); }, entry.value);
  }
  return json;
}

Json inventory_json(const std::optional<DiskInventory>& inventory) {
  if (!inventory) {
    return nullptr;
  }
  return {{"files", inventory->files},
          {"num_bytes", inventory->num_bytes},
          {"padding_bytes", inventory->padding_bytes}};
}

Json below_json(const std::optional<ProcessIo>& below) {
  if (!below) {
    return nullptr;
  }
  return {{"read", below->read_bytes}, {"written", below->write_bytes}};
}

Json cold_json(const std::optional<CacheReport>& cold) {
  if (!cold) {
    return nullptr;
  }
  return {{"state", cache_state_name(cold->state)},
          {"resident_fraction", or_null(cold->resident_fraction)}};
}

Json io_modes_json(std::span<const IoModeRecord> records) {
  if (records.empty()) {
    return nullptr;
  }
  Json list = Json::array();
  for (const IoModeRecord& record : records) {
    list.push_back({{"requested", record.requested},
                    {"actual", record.actual},
                    {"reason", text_or_null(record.reason)},
                    {"fqns", record.fqns}});
  }
  return list;
}

Json why_json(std::span<const IoExplanation> explanations) {
  Json list = Json::array();
  for (const IoExplanation& each : explanations) {
    list.push_back({{"cause", each.cause}, {"text", each.text}, {"knob", each.knob}});
  }
  return list;
}

Json error_json(const std::optional<Error>& error) {
  if (!error) {
    return nullptr;
  }
  return {{"code", 1},  // of the run: a failed case
          {"message", error->message.empty() ? "failed" : error->message},
          {"rank", error->rank}};
}

void add_phases(Json& to, const Sample& sample) {
  Json spreads = Json::object();
  Json by_rank = Json::object();
  for (const Phase phase : sample.phase_list) {
    const std::vector<double> seconds = phase_seconds(sample, phase);
    if (seconds.empty()) {
      continue;
    }
    const RankSpread spread = spread_of(seconds);
    const std::string name(phase_name(phase));
    spreads[name] = {{"min", spread.min},
                     {"mean", spread.mean},
                     {"max", spread.max},
                     {"slowest_rank", spread.slowest_rank}};
    by_rank[name] = seconds;
  }
  to["phases_s"] = spreads;
  to["per_rank"] = {{"total_s", sample.total_s},
                    {"phases_s", by_rank},
                    {"peak_memory_bytes", or_null(sample.peak_memory)}};
}

void add_fields(Json& to, const Sample& sample, const auto& fields) {
  for (const auto& field : fields) {
    to[std::string(field.key)] = or_null(sample.*field.value);
  }
}

Json sample_json(const RunContext& context, const CaseDescription& of, const Sample& sample) {
  Json json = {{"name", of.name},
               {"family", of.family.name},
               {"model", text_or_null(of.model)},
               {"strategy", text_or_null(of.strategy)},
               {"case", Json(of.keys)},
               {"world_size", of.world_size},
               {"virtual", of.is_virtual},
               {"nodes", context.topology.num_nodes()},
               {"ranks", context.num_ranks()},
               {"repetition", sample.repetition},
               {"warmup", false},
               {"order", sample.order},
               {"num_bytes", nullptr},  // the place of the first of measured_counts
               {"time_s", or_null(sample.time_s)}};
  add_fields(json, sample, measured_times);
  json["visible_from"] = text_or_null(sample.visible_from);
  add_phases(json, sample);
  const std::vector<double> work = shared_work(sample);
  json["per_node"] = {
      {"work_s", work.empty() ? std::vector<double>() : mean_by_node(work, context.topology)}};
  add_fields(json, sample, measured_counts);
  json["bytes_below"] = below_json(sample.below);
  json["inventory"] = inventory_json(sample.inventory);
  json["cold"] = cold_json(sample.cold);
  json["io_modes"] = io_modes_json(sample.io_modes);
  json["o_direct_actual"] = or_null(sample.o_direct_actual);
  json["why"] = why_json(sample.why);
  json["metrics"] = Json(sample.metrics);
  json["verified"] = or_null(sample.verified);
  json["error"] = error_json(sample.error);
  json["skipped"] = or_null(sample.skipped);
  return json;
}

Json spread_json(const std::optional<TimeSpread>& spread) {
  if (!spread) {
    return nullptr;
  }
  return {{"median", spread->median}, {"min", spread->min}, {"max", spread->max}};
}

Json ratio_json(const std::optional<RatioInterval>& ratio) {
  if (!ratio) {
    return nullptr;
  }
  return {{"median", ratio->median},
          {"low", ratio->low},
          {"high", ratio->high},
          {"pairs", ratio->pairs}};
}

Json peer_json(const CaseSummary& summary) {
  const auto verdict = peer_verdict(summary);
  return {{"own_ratio", ratio_json(summary.own_ratio)},
          {"against_ours", ratio_json(summary.against_ours)},
          {"compared_with",
           summary.compared_with == nullptr ? Json(nullptr) : Json(summary.compared_with->name)},
          {"verdict", verdict == PeerVerdict::none ? Json(nullptr) : Json(verdict_name(verdict))}};
}

Json summary_json(const CaseSummary& summary) {
  Json slowest = nullptr;
  if (summary.slowest_phase) {
    slowest = {{"phase", phase_name(summary.slowest_phase->phase)},
               {"rank", summary.slowest_phase->rank}};
  }
  Json json = {{"name", summary.description->name},
               {"family", summary.description->family.name},
               {"model", text_or_null(summary.description->model)},
               {"strategy", text_or_null(summary.description->strategy)},
               {"world_size", summary.description->world_size},
               {"virtual", summary.description->is_virtual},
               {"repetitions", summary.repetitions},
               {"failed", summary.failed},
               {"skipped", or_null(summary.skipped)},
               {"num_bytes", or_null(summary.num_bytes)},
               {"time_s", spread_json(summary.time_s)}};
  for (const MeasuredField<double>& field : measured_times) {
    if (field.over_rounds == OverRounds::spread) {
      json[std::string(field.key)] = spread_json(summary.spread_of(field.key));
    }
  }
  if (summary.description->family.comparison == Comparison::is_peer) {
    json["peer"] = peer_json(summary);
  }
  json.update({{"same_layout_ratio", spread_json(summary.same_layout_ratio)},
               {"amplification", or_null(summary.amplification)},
               {"imbalance", or_null(summary.imbalance)},
               {"slowest", slowest},
               {"cold", summary.cold ? Json(cache_state_name(*summary.cold)) : Json(nullptr)},
               {"peak_memory_bytes", or_null(summary.peak_memory_bytes)},
               {"error", error_json(summary.error)}});
  return json;
}

Json waterfall_json(const Waterfall& waterfall, std::span<const CaseSummary> summaries) {
  Json layers = Json::array();
  for (const WaterfallLayer& layer : waterfall.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"name", layer.summary->description->name},
                      {"num_bytes", or_null(layer.summary->num_bytes)},
                      {"time_s", layer.summary->time_s->median},
                      {"of_below", or_null(layer.of_below)},
                      {"of_ceilings", Json(ceiling_shares(*layer.summary, summaries))}});
  }
  return {{"group", waterfall.group},
          {"operation", operation_name(waterfall.operation)},
          {"layers", layers}};
}

Json waterfalls_json(std::span<const CaseSummary> summaries) {
  Json list = Json::array();
  for (const Waterfall& waterfall : waterfalls(summaries)) {
    list.push_back(waterfall_json(waterfall, summaries));
  }
  return list;
}

std::string dumped(const Json& document) {
  // Names come from configurations and file systems: bytes that are no UTF-8 must not throw.
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string summary_json(const RunContext& context, std::span<const CaseSummary> summaries,
                         const std::string& directory, const std::optional<Error>& error) {
  Json list = Json::array();
  for (const CaseSummary& summary : summaries) {
    list.push_back(summary_json(summary));
  }
  Json document = {{"directory", text_or_null(directory)},
                   {"played", context.played.empty() ? Json(nullptr) : Json(context.played)},
                   {"cases", list},
                   {"waterfalls", waterfalls_json(summaries)}};
  if (error) {
    document["error"] = error_json(error);
  }
  return dumped(document);
}

std::string samples_json(const RunContext& context, std::span<const CaseDescription> cases,
                         std::span<const Sample> samples) {
  Json list = Json::array();
  for (const Sample& sample : samples) {
    list.push_back(sample_json(context, cases[sample.case_index], sample));
  }
  const Json document = {{"schema_version", samples_schema_version},
                         {"context", context_json(context)},
                         {"samples", list},
                         {"waterfalls", waterfalls_json(summarise(cases, samples))}};
  return dumped(document);
}

}  // namespace shardmark::bench
