// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/load_command.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/cli/commands/phase_report.hpp"
#include "bench/cli/commands/played_workload.hpp"
#include "bench/cli/commands/same_settings.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/played_ranks.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/memory_check.hpp"
#include "bench/harness/watch/watched_operation.hpp"
#include "bench/harness/watch/watcher.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/text/error_report.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/played_facts.hpp"
#include "bench/text/printed_json.hpp"

namespace shardmark::bench {
namespace {

struct LoadSummary {
  LoadReport report;  // counts summed over ranks, total_s of the slowest
  CacheReport cold;
  std::vector<PhaseTimes> phases;
  std::optional<bool> verified;
  std::optional<Error> error;
  std::optional<PlayedWorld> played;
  std::int64_t absent_bytes = 0;  // of all ranks
};

std::string json_text(const LoadSummary& summary) {
  const LoadReport& report = summary.report;
  nlohmann::ordered_json document;
  document["step"] = report.step;
  document["num_bytes"] = report.num_bytes;
  document["bytes_read"] = report.bytes_read;
  document["read_requests"] = report.read_requests;
  document["bytes_received"] = report.bytes_received;
  document["exchange"] = nullptr;
  document["exchange_why"] = nullptr;
  if (!report.exchange.empty()) {
    document["exchange"] = report.exchange;
    document["exchange_why"] = report.exchange_why;
  }
  document["bytes_exchanged"] = report.bytes_exchanged;
  document["messages"] = report.messages;
  document["missing"] = report.keys.missing;
  document["unexpected"] = report.keys.unexpected;
  document["verified"] = nullptr;
  if (summary.verified) {
    document["verified"] = *summary.verified;
  }
  document["checksum"] = {{"verified_chunks", report.verified_chunks},
                          {"unverified_chunks", report.unverified_chunks},
                          {"verify_bytes_read", report.verify_bytes_read}};
  document["cold"] = {{"state", cache_state_name(summary.cold.state)},
                      {"resident_fraction", nullptr}};
  if (summary.cold.resident_fraction) {
    document["cold"]["resident_fraction"] = *summary.cold.resident_fraction;
  }
  document["played"] = nullptr;
  if (summary.played) {
    document["played"] = played_facts(*summary.played);
    document["played"]["world_size"] = summary.played->world_size;
    document["played"]["absent_bytes"] = summary.absent_bytes;
  }
  document["total_s"] = report.total_s;
  document["phases_s"] = phases_document(summary.phases, load_phases);
  if (summary.error) {
    document.update(nlohmann::ordered_json::parse(error_document(*summary.error)));
  }
  return printed_json(document);
}

/// What --verify prints where the load itself found the damage, or could not read: its own
/// document, with nothing measured.
std::string failed_load_text(const Error& error) {
  nlohmann::ordered_json document;
  for (const char* key : {"step", "num_bytes", "bytes_read", "read_requests"}) {
    document[key] = nullptr;
  }
  document["verified"] = false;
  for (const char* key : {"checksum", "cold", "phases_s"}) {
    document[key] = nullptr;
  }
  document.update(nlohmann::ordered_json::parse(error_document(error)));
  return printed_json(document);
}

std::string human_text(const LoadSummary& summary, const Config& config, int ranks) {
  const LoadReport& report = summary.report;
  std::string keys;
  if (!report.keys.missing.empty() || !report.keys.unexpected.empty()) {
    keys = fmt::format("  {} wanted but not in the checkpoint{}; {} in it and not wanted\n",
                       report.keys.missing.size(),
                       report.keys.missing.empty() ? "" : " and left alone",
                       report.keys.unexpected.size());
  }
  if (summary.played) {
    keys += played_lines(*summary.played);
    keys += fmt::format("  {} that these ranks hold are of others to write: not read{}\n",
                        format_bytes(summary.absent_bytes),
                        summary.verified ? ", nor the tensors around them checked" : "");
  }
  const std::string verified = !summary.verified   ? "values not checked (--verify)"
                               : *summary.verified ? "every value is as written"
                                                   : "WRONG VALUES";
  return fmt::format(
      "loaded step {} into {} ranks ({}, {}): {}\n  {} in {}, {}, {} before the read; {} requests\n"
      "{}  checksums: {} chunks verified, {} not\n\n{}",
      report.step, ranks, config.model.name, config.parallel.strategy, verified,
      format_bytes(report.num_bytes), format_seconds(report.total_s),
      format_rate(static_cast<double>(report.num_bytes) / report.total_s),
      cache_state_name(summary.cold.state), report.read_requests, keys, report.verified_chunks,
      report.unverified_chunks, phases_table(summary.phases, load_phases));
}

void sum_over_ranks(LoadReport& report, const Communicator& comm) {
  std::array<std::int64_t, 6> sums = {report.num_bytes,       report.bytes_read,
                                      report.read_requests,   report.bytes_received,
                                      report.bytes_exchanged, report.messages};
  comm.all_reduce(sums, MPI_SUM);
  report.num_bytes = sums[0];
  report.bytes_read = sums[1];
  report.read_requests = sums[2];
  report.bytes_received = sums[3];
  report.bytes_exchanged = sums[4];
  report.messages = sums[5];
  report.total_s = comm.all_reduce(report.total_s, MPI_MAX);
}

struct LoadSetup {
  Config config;
  LoadOptions options;
};

Result<LoadSetup> read(const LoadArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config.config, arguments.config.overrides));
  LoadSetup setup;
  SHARDMARK_ASSIGN_OR_RETURN(setup.config, resolve(document));
  if (backend_of(setup.config.storage).discards) {
    return Error{ErrorCode::invalid_argument,
                 "storage.backend = \"null\" discards what it is given: nothing can be loaded"};
  }
  setup.options = load_options(setup.config, arguments.directory, arguments.step);
  // A restart wants to know of damage; a benchmark's load keeps to what it reads anyway.
  if (!document.values.contains("load.checksum")) {
    setup.options.checksum = ChecksumMode::full;
  }
  return setup;
}

}  // namespace

Result<CommandOutput> load_command(const LoadArguments& arguments, const Communicator& comm) {
  auto setup = read(arguments);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(setup)));
  auto& [config, options] = *setup;
  SHARDMARK_RETURN_IF_ERROR(same_settings_on_all_ranks(config, comm));
  set_late_action(config.run.late == "end", arguments.json);
  const auto matches = [&](std::string_view fqn) {
    return ::fnmatch(arguments.only.c_str(), std::string(fqn).c_str(), 0) == 0;
  };
  const auto played = played_world(config, comm.size());
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(played)));
  options.played = *played;
  const auto make = [&](const Config& of, Memory memory) {
    WorkloadOptions wanted = workload_options(of);
    if (!arguments.only.empty()) {
      wanted.filter = matches;
    }
    return played_workload(wanted, *played, memory, comm);
  };
  auto workload = make_workload_that_fits(config, make, comm);
  SHARDMARK_RETURN_IF_ERROR(workload);
  if (comm.all_reduce(static_cast<std::int64_t>(workload->state_dict().size()), MPI_SUM) == 0) {
    return Error{ErrorCode::not_found, fmt::format("--only '{}' matches no tensor of {}",
                                                   arguments.only, config.model.name)};
  }
  // Ranks may want the same bytes.
  const double expected_s =
      ExpectedTime().of(comm.all_reduce(workload->local_num_bytes(), MPI_SUM));
  std::optional<WatchedOperation> watched;
  watched.emplace("set-up of the load", deadline_around_s(config.run.deadline, expected_s));
  // A read that does nothing must not find the right values in memory.
  workload->poison();
  const auto ranges = plan_load_ranges(workload->state_dict(), options, comm);
  if (!ranges && exit_code(ranges.error().code) == 1 && arguments.verify) {
    return CommandOutput{arguments.json ? failed_load_text(ranges.error()) : "", ranges.error()};
  }
  SHARDMARK_RETURN_IF_ERROR(ranges);
  LoadSummary summary;
  summary.cold = cache_state(*ranges, false, comm);
  comm.barrier();
  watched.reset();
  watched.emplace(fmt::format("load from {}", arguments.directory),
                  deadline_s(config.run.deadline, expected_s));
  auto report = load(workload->state_dict(), options, comm);
  watched.reset();
  if (!report && exit_code(report.error().code) == 1 && arguments.verify) {
    return CommandOutput{arguments.json ? failed_load_text(report.error()) : "", report.error()};
  }
  SHARDMARK_RETURN_IF_ERROR(report);
  summary.report = std::move(*report);
  if (!arguments.only.empty()) {
    // What was not asked for cannot be unexpected.
    std::erase_if(summary.report.keys.unexpected,
                  [&](const std::string& fqn) { return !matches(fqn); });
  }
  summary.played = *played;
  summary.absent_bytes = comm.all_reduce(summary.report.absent_bytes, MPI_SUM);
  summary.phases = gather_phases(summary.report.phases, comm);
  sum_over_ranks(summary.report, comm);
  if (arguments.verify) {
    const Status checked = comm.agree(workload->check(
        summary.report.seed, *played ? summary.report.absent : summary.report.keys.missing));
    summary.verified = checked.has_value();
    if (!checked) {
      summary.error = checked.error();
    }
  }
  if (!comm.is_root()) {
    return CommandOutput{{}, summary.error};
  }
  return CommandOutput{
      arguments.json ? json_text(summary) : human_text(summary, config, comm.size()),
      summary.error};
}

}  // namespace shardmark::bench
