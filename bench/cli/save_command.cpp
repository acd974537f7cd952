// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/save_command.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/cli/human_units.hpp"
#include "bench/cli/phase_report.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/resolve.hpp"

namespace shardmark::bench {
namespace {

/// What all ranks together need of one save.
struct SaveSummary {
  SaveReport report;  // of rank 0, times replaced by those of the slowest rank
  std::vector<PhaseTimes> phases;
  std::optional<double> visible_s;  // not measured by this command yet
};

nlohmann::ordered_json optional_number(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

std::string json_text(const SaveSummary& summary) {
  const SaveReport& report = summary.report;
  nlohmann::ordered_json document;
  document["step"] = report.step;
  document["path"] = report.path;
  document["num_bytes"] = report.num_bytes;
  document["returned_s"] = report.returned_s;
  document["durable_s"] = report.durable_s;
  document["visible_s"] = optional_number(summary.visible_s);
  document["phases_s"] = phases_document(summary.phases, save_phases);
  document["files"] = report.inventory.files;
  document["disk_bytes"] = report.inventory.num_bytes;
  document["padding_bytes"] = report.inventory.padding_bytes;
  document["metadata_bytes"] = report.inventory.metadata_bytes;
  document["checksum_bytes"] = report.inventory.checksum_bytes;
  return document.dump(2) + "\n";
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
      "saved {}\n  {} from {} ranks ({}, {}): durable after {}, {}\n  {} files, {} on disk, "
      "padding {}\n\n{}",
      report.path, format_bytes(report.num_bytes), ranks, config.model.name,
      config.parallel.strategy, format_seconds(report.durable_s),
      format_rate(static_cast<double>(report.num_bytes) / report.durable_s), report.inventory.files,
      format_bytes(report.inventory.num_bytes), format_bytes(report.inventory.padding_bytes),
      phases_table(summary.phases, save_phases));
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
  auto workload =
      Workload::make(workload_options(config), comm.rank(), comm.size(), Memory::allocate);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(workload)));
  workload->fill(arguments.seed);
  comm.barrier();
  SHARDMARK_ASSIGN_OR_RETURN(
      SaveReport report,
      save(workload->state_dict(),
           save_options(config, arguments.directory, arguments.step, arguments.seed), comm));
  report.returned_s = comm.all_reduce(report.returned_s, MPI_MAX);
  report.durable_s = comm.all_reduce(report.durable_s, MPI_MAX);
  SaveSummary summary{report, gather_phases(report.phases, comm), std::nullopt};
  if (!comm.is_root()) {
    return CommandOutput{};
  }
  return CommandOutput{arguments.json ? json_text(summary)
                                      : human_text(summary, config, comm.size())};
}

}  // namespace shardmark::bench
