// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/save_command.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "bench/cli/commands/phase_report.hpp"
#include "bench/cli/commands/played_workload.hpp"
#include "bench/cli/commands/same_settings.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/played_ranks.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/collective_timer.hpp"
#include "bench/harness/measure/file_system_probe.hpp"
#include "bench/harness/measure/memory_check.hpp"
#include "bench/harness/measure/visibility.hpp"
#include "bench/harness/watch/watched_operation.hpp"
#include "bench/harness/watch/watcher.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/played_facts.hpp"
#include "bench/text/printed_json.hpp"
#include "shardmark/checkpoint/async_save.hpp"
#include "shardmark/checkpoint/playable.hpp"

namespace shardmark::bench {
namespace {

/// What all ranks together need of one save.
struct SaveSummary {
  SaveReport report;  // of rank 0, times replaced by those of the slowest rank
  std::vector<PhaseTimes> phases;
  Visibility visibility;
  std::optional<PlayedWorld> played;
  std::vector<std::int64_t> bytes_by_rank;  // of elements and objects, of the launched ranks
};

nlohmann::ordered_json optional_number(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

std::string json_text(const SaveSummary& summary, const Config& config) {
  const SaveReport& report = summary.report;
  nlohmann::ordered_json document;
  document["step"] = report.step;
  document["path"] = report.path;
  document["num_bytes"] = report.num_bytes;
  document["returned_s"] = report.returned_s;
  document["durable_s"] = report.durable_s;
  document["visible_s"] = optional_number(summary.visibility.visible_s);
  document["visible_from"] = summary.visibility.from.empty()
                                 ? nlohmann::ordered_json(nullptr)
                                 : nlohmann::ordered_json(summary.visibility.from);
  document["visible_looks"] = summary.visibility.looks;
  document["phases_s"] = phases_document(summary.phases, save_phases);
  document["file_layout"] = file_layout_name(report.layout);
  document["io"] = config.storage.io;
  document["o_direct_actual"] = nullptr;
  if (config.storage.io == "direct" && !report.path.empty()) {
    document["o_direct_actual"] =
        config.storage.o_direct && report.counters.o_direct_reason.empty();
  }
  document["o_direct_reason"] = nullptr;
  if (!report.counters.o_direct_reason.empty()) {
    document["o_direct_reason"] = report.counters.o_direct_reason;
  }
  document["exchange"] = nullptr;
  document["exchange_why"] = nullptr;
  if (!report.counters.exchange.empty()) {
    document["exchange"] = report.counters.exchange;
    document["exchange_why"] = report.counters.exchange_why;
  }
  const auto known = [](std::int64_t number) {
    return number > 0 ? nlohmann::ordered_json(number) : nlohmann::ordered_json(nullptr);
  };
  document["stripe_size_bytes"] = known(report.stripes.stripe_bytes);
  document["stripe_count"] = known(report.stripes.stripe_count);
  document["bytes_exchanged"] = report.counters.bytes_exchanged;
  document["messages"] = report.counters.messages;
  document["files"] = report.inventory.files;
  document["disk_bytes"] = report.inventory.num_bytes;
  document["padding_bytes"] = report.inventory.padding_bytes;
  document["metadata_bytes"] = report.inventory.metadata_bytes;
  document["checksum_bytes"] = report.inventory.checksum_bytes;
  document["played"] = nullptr;
  if (summary.played) {
    document["played"] = played_facts(*summary.played);
    document["played"]["world_size"] = summary.played->world_size;
    document["played"]["bytes_by_rank"] = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < summary.bytes_by_rank.size(); ++i) {
      document["played"]["bytes_by_rank"][fmt::format("{}", summary.played->ranks[i])] =
          summary.bytes_by_rank[i];
    }
  }
  return printed_json(document);
}

std::string visible_text(const Visibility& visibility) {
  return visibility.visible_s
             ? fmt::format("; seen by {} after {}, at {}", visibility.from,
                           format_seconds(*visibility.visible_s),
                           visibility.looks == 1 ? std::string("the first look")
                                                 : fmt::format("look {}", visibility.looks))
             : "";
}

std::string cache_text(const SaveReport& report) {
  const std::string& reason = report.counters.o_direct_reason;
  return reason.empty() ? "" : fmt::format("  through the page cache: {}\n", reason);
}

std::string human_text(const SaveSummary& summary, const Config& config, int ranks) {
  const SaveReport& report = summary.report;
  if (report.path.empty()) {
    return fmt::format(
        "saved nothing: the null back end discards what it gets, and verifies nothing\n"
        "  {} from {} ranks ({}, {}) in {}\n\n{}",
        format_bytes(report.num_bytes), ranks, config.model.name, config.parallel.strategy,
        format_seconds(report.returned_s), phases_table(summary.phases, save_phases));
  }
  return fmt::format(
      "{} {}\n{}  {} from {} ranks ({}, {}): returned after {}, durable after {}, {}{}\n  {} files, {} on disk, padding {}\n{}\n{}",
      summary.played ? "played" : "saved", report.path,
      summary.played ? played_lines(*summary.played) : std::string(),
      format_bytes(report.num_bytes), ranks, config.model.name, config.parallel.strategy,
      format_seconds(report.returned_s), format_seconds(report.durable_s),
      format_rate(static_cast<double>(report.num_bytes) / report.durable_s),
      visible_text(summary.visibility), report.inventory.files,
      format_bytes(report.inventory.num_bytes), format_bytes(report.inventory.padding_bytes),
      cache_text(report), phases_table(summary.phases, save_phases));
}

/// Collective. As save(), in the background.
Result<SaveReport> save_behind(const StateDict& state_dict, const SaveOptions& options,
                               const AsyncSaveOptions& async, const Communicator& comm) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto saver, AsyncSaver::make(async, comm));
  const auto started = saver->start(state_dict, options);
  auto finished = saver->finish();
  saver->close();
  if (!started) {
    return started.error();
  }
  if (!finished) {
    return finished.error();
  }
  return std::move(**finished);
}

Result<Config> read(const ConfigArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config, arguments.overrides));
  return resolve(document);
}

}  // namespace

Result<CommandOutput> save_command(const SaveArguments& arguments, const Communicator& comm) {
  const auto read_config_file = read(arguments.config);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(read_config_file)));
  const Config& config = *read_config_file;
  SHARDMARK_RETURN_IF_ERROR(same_settings_on_all_ranks(config, comm));
  set_late_action(config.run.late == "end", arguments.json);
  const auto played = played_world(config, comm.size());
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(played)));
  const auto make = [&](const Config& of, Memory memory) {
    return played_workload(workload_options(of), *played, memory, comm);
  };
  auto workload = make_workload_that_fits(config, make, comm);
  SHARDMARK_RETURN_IF_ERROR(workload);
  const double expected_s = ExpectedTime().of(workload->global_num_bytes());
  std::optional<WatchedOperation> watched;
  watched.emplace("set-up of the save", deadline_around_s(config.run.deadline, expected_s));
  workload->fill(arguments.seed);
  const NodeTopology topology = NodeTopology::discover(comm);
  SaveOptions options = save_options(config, arguments.directory, arguments.step, arguments.seed);
  options.published_dtypes = workload->published_dtypes();
  if (*played) {
    options.played = played_save(config, **played, PlayedParts::shares);
    SHARDMARK_RETURN_IF_ERROR(check_can_be_played(options, comm.size()));
  }
  std::string probed_reason;
  if (options.storage.backend != Backend::null) {
    SHARDMARK_ASSIGN_OR_RETURN(const FileSystemCertificate found,
                               probed_for_save(arguments.directory, config.storage, comm));
    follow_traits(found.traits, options.storage);
    const auto reason = found.reasons.find("o_direct");
    probed_reason = reason == found.reasons.end() ? "" : ": " + reason->second;
  }
  comm.barrier();
  watched.reset();
  watched.emplace(fmt::format("save of step {}", arguments.step),
                  deadline_s(config.run.deadline, expected_s));
  const double start_s = steady_seconds();
  SHARDMARK_ASSIGN_OR_RETURN(
      SaveReport report, config.storage.async ? save_behind(workload->state_dict(), options,
                                                            {config.storage.staging_bytes}, comm)
                                              : save(workload->state_dict(), options, comm));
  if (config.storage.o_direct && !options.storage.o_direct) {
    report.counters.o_direct_reason =
        "the probe of this file system found no O_DIRECT" + probed_reason;
  }
  report.counters.bytes_exchanged = comm.all_reduce(report.counters.bytes_exchanged, MPI_SUM);
  report.counters.messages = comm.all_reduce(report.counters.messages, MPI_SUM);
  report.returned_s = comm.all_reduce(report.returned_s, MPI_MAX);
  report.durable_s = comm.all_reduce(report.durable_s, MPI_MAX);
  Visibility visibility;
  if (!report.path.empty() && !*played) {
    watched.reset();
    watched.emplace("the look at the saved step",
                    deadline_around_s(config.run.deadline, expected_s));
    SHARDMARK_ASSIGN_OR_RETURN(
        visibility, observe(arguments.directory, arguments.step, start_s, topology, comm));
  }
  SaveSummary summary{report, gather_phases(report.phases, comm), visibility, *played, {}};
  summary.bytes_by_rank = comm.gather(std::array<std::int64_t, 1>{report.own_bytes});
  if (!comm.is_root()) {
    return CommandOutput{};
  }
  return CommandOutput{arguments.json ? json_text(summary, config)
                                      : human_text(summary, config, comm.size())};
}

}  // namespace shardmark::bench
