// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/run_suite.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <sstream>

#include "bench/config/error_origin.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/played_ranks.hpp"
#include "bench/harness/measure/file_system_probe.hpp"
#include "bench/harness/measure/memory_check.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "bench/harness/report/result_table.hpp"
#include "bench/harness/report/samples_json.hpp"
#include "bench/harness/report/summarise.hpp"
#include "bench/harness/report/text_file.hpp"
#include "bench/harness/run/run_cases.hpp"
#include "bench/harness/run/same_on_all_ranks.hpp"
#include "bench/harness/watch/watcher.hpp"
#include "bench/machine/launch_facts.hpp"
#include "bench/machine/memory_room.hpp"
#include "bench/machine/run_context.hpp"
#include "bench/suite/earlier_results.hpp"
#include "bench/suite/families.hpp"
#include "bench/suite/space_check.hpp"
#include "bench/text/played_facts.hpp"
#include "shardmark/checkpoint/playable.hpp"
#include "shardmark/storage/hdf5/library/hdf5_state.hpp"
#include "shardmark/storage/posix/file_stripes.hpp"

namespace shardmark::bench {
namespace {

/// At most: what all ranks hold, as often as they hold it. Planning and hooks move none.
std::int64_t planned_bytes(const FamilyTraits& family, const Config& config,
                           SuiteEnvironment& environment) {
  if (!family.has_files) {
    return 0;
  }
  const auto workload = environment.workloads.get(config, Memory::none, Played::first);
  if (!workload) {
    return 0;
  }
  const std::int64_t held = (*workload)->local_num_bytes() * environment.comm.size();
  return config.run.world == 0 ? std::max((*workload)->global_num_bytes(), held) : held;
}

/// The families, in the order of the table.
Cases make_cases(std::span<const SweepCase> points, SuiteEnvironment& environment) {
  Cases cases;
  std::set<std::string> names;
  for (const Family& family : families()) {
    CaseMaker make;
    for (const SweepCase& point : points) {
      const auto& wanted = point.config.run.benchmarks;
      if (std::ranges::find(wanted, family.traits.name) == wanted.end()) {
        continue;
      }
      if (!make) {
        make = family.make(environment);
      }
      for (std::unique_ptr<BenchmarkCase>& made : make(point)) {
        // Points that differ only in what does not concern a family are one case of it.
        if (names.insert(made->description().name).second) {
          made->plan_bytes(planned_bytes(family.traits, point.config, environment));
          cases.push_back(std::move(made));
        }
      }
    }
  }
  return cases;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Rounds are rounds of all cases: what counts them cannot differ between points.
Status check_rounds(std::span<const SweepCase> points) {
  const RunConfig& first = points.front().config.run;
  for (const SweepCase& point : points) {
    const RunConfig& run = point.config.run;
    const char* const differs = run.repetitions != first.repetitions ? "run.repetitions"
                                : run.warmup != first.warmup         ? "run.warmup"
                                : run.keep != first.keep             ? "run.keep"
                                : run.deadline != first.deadline     ? "run.deadline"
                                : run.late != first.late             ? "run.late"
                                                                     : nullptr;
    if (differs != nullptr) {
      return with_origin(Error{ErrorCode::invalid_argument,
                               fmt::format("{} holds for all cases of a run and cannot be swept, "
                                           "expected one value",
                                           differs)},
                         point.config);
    }
  }
  return {};
}

/// Local. What some ranks of run.world cannot do.
Status check_played(const Config& config, int num_ranks) {
  const RunConfig& run = config.run;
  if (run.world == 0) {
    return {};
  }
  if (runs_any(run, [](const FamilyTraits& f) { return f.has_files && !f.is_played; })) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("run.world = {}: reshard, ceiling and peers need every rank of their world, "
                    "expected run.benchmarks of hooks, plan, save and load, found {}",
                    run.world, fmt::join(run.benchmarks, ", "))};
  }
  if (!runs_any(run, [](const FamilyTraits& f) { return f.is_played; })) {
    return {};
  }
  if (config.planner.cache) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("run.world = {}: planner.cache keeps what the ranks of one world agreed "
                    "on, expected false",
                    run.world)};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const auto played, played_world(config, num_ranks));
  SaveOptions options = save_options(config, "", 0, 0);
  options.played = PlayedSave{.world = *played};
  return check_can_be_played(options, num_ranks);
}

/// Local. Every point must be possible in this world.
Status check_points(std::span<const SweepCase> points, const Communicator& comm,
                    WorkloadPool& workloads) {
  for (const SweepCase& point : points) {
    SHARDMARK_RETURN_IF_ERROR(check_played(point.config, comm.size()));
    SHARDMARK_RETURN_IF_ERROR(workloads.get(point.config, Memory::none));
    if (const std::string& saved = point.config.reshard.saved_strategy; !saved.empty()) {
      Config saving = point.config;
      saving.parallel = {};
      saving.parallel.strategy = saved;
      SHARDMARK_RETURN_IF_ERROR(workloads.get(saving, Memory::none));
    }
  }
  return {};
}

/// Collective. Whether what the cases hold fits, before any of it is allocated.
Status check_room(std::span<const SweepCase> points, SuiteEnvironment& environment) {
  std::vector<Config> holding;
  for (const SweepCase& point : points) {
    if (!runs_any(point.config.run, [](const FamilyTraits& f) { return f.moves_bytes; })) {
      continue;
    }
    holding.push_back(point.config);
    if (const std::string& saved = point.config.reshard.saved_strategy; !saved.empty()) {
      holding.push_back(point.config);
      holding.back().parallel = {};
      holding.back().parallel.strategy = saved;
    }
  }
  return check_memory(
      holding,
      [&](const Config& config) -> Result<std::int64_t> {
        SHARDMARK_ASSIGN_OR_RETURN(const Workload* planned,
                                   environment.workloads.get(config, Memory::none, Played::first));
        // Another engine's adapter holds what the rank holds, beside it.
        const bool twice = runs_any(config.run, [](const FamilyTraits& family) {
          return family.comparison == Comparison::is_peer;
        });
        return (twice ? 2 : 1) * planned->local_num_bytes();
      },
      memory_rooms(), environment.comm);
}

/// Collective. What families ask of a point before anything runs.
Status check_families(std::span<const SweepCase> points, SuiteEnvironment& environment) {
  for (const SweepCase& point : points) {
    for (const std::string& name : point.config.run.benchmarks) {
      if (const Family* const family = find_family(name); family->check != nullptr) {
        SHARDMARK_RETURN_IF_ERROR(family->check(point, environment));
      }
    }
  }
  return {};
}

std::vector<std::string> directories_of(std::span<const SweepCase> points) {
  std::set<std::string> directories;
  for (const SweepCase& point : points) {
    if (runs_any(point.config.run,
                 [&](const FamilyTraits& f) { return keeps_files(f, point.config); })) {
      directories.insert(point.config.storage.directory);
    }
  }
  return {directories.begin(), directories.end()};
}

/// Collective. What the file systems of the directories do; nothing here is timed.
Status probe_all(std::span<const SweepCase> points, std::span<const std::string> directories,
                 SuiteEnvironment& environment, RunContext& context) {
  for (const std::string& directory : directories) {
    const auto point = std::ranges::find_if(
        points, [&](const SweepCase& each) { return each.config.storage.directory == directory; });
    SHARDMARK_ASSIGN_OR_RETURN(const FileSystemCertificate found,
                               probed_for_save(directory, point->config.storage, environment.comm));
    environment.traits[directory] = found.traits;
    Status stripes;
    for (const SweepCase& each : points) {
      const StorageConfig& storage = each.config.storage;
      if (stripes && storage.directory == directory) {
        stripes = check_can_set_stripes(directory, storage.stripe_size, storage.stripe_count);
      }
    }
    SHARDMARK_RETURN_IF_ERROR(environment.comm.agree(stripes));
    if (directory == directories.front()) {
      context.filesystem.weaker = fmt::format("{}", fmt::join(weaknesses(found.traits), "; "));
    }
  }
  return {};
}

/// Local. What of these results is of some ranks of a bigger world, and what is not there.
std::map<std::string, std::string> played_note(std::span<const SweepCase> points, int num_ranks) {
  for (const SweepCase& point : points) {
    const auto played = played_world(point.config, num_ranks);
    if (played && *played &&
        runs_any(point.config.run, [](const FamilyTraits& f) { return f.is_played; })) {
      return played_facts(**played);
    }
  }
  return {};
}

/// Collective. Files and hardware are rank 0's.
RunContext make_context(std::span<const SweepCase> points, const SuiteOptions& options,
                        const Communicator& comm) {
  RunContext context;
  context.topology = NodeTopology::discover(comm);
  context.clock_offsets = measure_clock_offsets(context.topology, comm);
  context.shuffle_seed = common_shuffle_seed(options.shuffle_seed, comm);
  context.command_line = options.command_line;
  context.cpus_of_rank = cpus_of_ranks(comm);
  if (comm.is_root()) {
    const Config& first = points.front().config;
    const bool only_reads = !first.load.from.empty() && directories_of({points.data(), 1}).empty();
    const std::string& directory = only_reads ? first.load.from : first.storage.directory;
    context.build = build_info();
    context.cpu = cpu_name();
    context.kernel = kernel_name();
    context.scheduler_job = scheduler_job();
    context.variables = steering_variables();
    context.filesystem = file_system_of(directory);
    if (const StorageConfig& storage = points.front().config.storage; storage.stripe_size != 0) {
      context.filesystem.stripe_size_bytes = storage.stripe_size;
    }
    if (const StorageConfig& storage = points.front().config.storage; storage.stripe_count != 0) {
      context.filesystem.stripe_count = std::max<std::int64_t>(0, storage.stripe_count);
    }
    context.played = played_note(points, comm.size());
    context.gives_free_memory_back = gives_free_memory_back();
    context.suite = options.suite;
    context.config = config_text(points);
    context.config_hash = config_hash(context.config);
    context.started = utc_now();
  }
  return context;
}

/// Half of the memory that is free now, shared by the ranks of a node.
std::int64_t memory_budget(const RunContext& context, const Communicator& comm) {
  return available_memory_bytes() / 2 / context.topology.num_ranks_beside(comm.rank());
}

Result<SuiteOutcome> list_cases(const Cases& cases, std::span<const std::size_t> selected) {
  SuiteOutcome outcome;
  for (const std::size_t i : selected) {
    outcome.text += cases[i]->description().name + "\n";
  }
  return outcome;
}

std::optional<Error> failure_of(const RunResult& result) {
  if (!result.first_error) {
    return std::nullopt;
  }
  Error error = *result.first_error;
  error.code = ErrorCode::internal;  // a failed case is exit code 1, whatever broke in it
  if (result.failed_cases > 0) {
    error.message = fmt::format("{} of {} benchmark cases failed; the first: {}",
                                result.failed_cases, result.cases.size(), error.message);
  }
  if (result.must_stop) {
    error.message += "\nHDF5 cannot be used any more in this process; the run ended there";
  }
  return error;
}

SuiteOutcome report(const RunResult& result, const RunContext& context, const SuiteOptions& options,
                    const BenchmarkFlags& flags, bool is_root) {
  SuiteOutcome outcome{{}, failure_of(result)};
  if (!is_root) {
    return outcome;
  }
  const auto summaries = summarise(result.cases, result.samples);
  if (options.json) {
    outcome.text = summary_json(context, summaries, options.directory, outcome.error);
    return outcome;
  }
  const std::string table = result_table(context, summaries, options.directory, options.style);
  if (flags.format == "json") {
    std::fputs(table.c_str(), stderr);  // stdout is Google Benchmark's document
  } else {
    outcome.text = table;
  }
  return outcome;
}

}  // namespace

Result<SuiteOutcome> run_suite(std::span<const SweepCase> points, const SuiteOptions& options,
                               const Communicator& comm) {
  auto flags = parse_benchmark_flags(options.benchmark_flags);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(flags)));
  // Some of them come from the environment, which need not be the same on every node.
  SHARDMARK_RETURN_IF_ERROR(same_on_all_ranks(
      "Google Benchmark's flags",
      {"format " + flags->format, flags->list_tests ? "list_tests" : "no list_tests"}, comm));
  SHARDMARK_RETURN_IF_ERROR(
      same_on_all_ranks("configurations", lines_of(config_text(points)), comm));
  SHARDMARK_RETURN_IF_ERROR(check_rounds(points));
  if (options.json && !flags->format.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "--json and --benchmark_format both want standard output; give one of them"};
  }
  RunContext context = make_context(points, options, comm);
  SuiteEnvironment environment{
      .comm = comm,
      .topology = context.topology,
      .workloads = WorkloadPool(comm.rank(), comm.size(), memory_budget(context, comm)),
      .checkpoints = {},
      .free_memory = FreeMemory(context.topology, comm, gives_free_memory_back())};
  SHARDMARK_RETURN_IF_ERROR(comm.agree(check_points(points, comm, environment.workloads)));
  SHARDMARK_RETURN_IF_ERROR(check_families(points, environment));
  const Cases cases = make_cases(points, environment);
  SHARDMARK_ASSIGN_OR_RETURN(const auto selected, agree_on_selection(cases, flags->filter, comm));
  if (flags->list_tests) {
    return list_cases(cases, selected);
  }
  SHARDMARK_RETURN_IF_ERROR(check_room(points, environment));
  const RunConfig& run = points.front().config.run;
  set_late_action(run.late == "end", options.json);
  const auto directories = directories_of(points);
  SHARDMARK_RETURN_IF_ERROR(probe_all(points, directories, environment, context));
  SHARDMARK_ASSIGN_OR_RETURN(
      environment.checkpoints,
      CheckpointSteps::make(directories, run.keep, context.shuffle_seed << 32, comm));
  for (const std::string& folder : environment.checkpoints.folders()) {
    fmt::print(stderr, "shardmark: this run saves in {}\n", folder);
  }
  if (comm.is_root() && !directories.empty()) {
    context.mpi_io =
        mpi_io_of(environment.checkpoints.folders().front(), points.front().config.storage.hints);
  }
  Status made;
  if (comm.is_root() && !options.directory.empty()) {
    made = make_directory(options.directory, "--out");
    if (made && !options.overwrite) {
      made = check_earlier_results(options.directory, context);
    }
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(made));
  SHARDMARK_RETURN_IF_ERROR(comm.agree(
      comm.is_root() ? check_space(points, comm.size(), environment.workloads) : Status()));
  if (comm.is_root()) {
    warn_of_file_system(context.filesystem);
    for (const auto& [key, text] : context.played) {
      if (key == "measured" || key == "not_there") {
        fmt::print(stderr, "shardmark: note: {}\n", text);
      }
    }
  }
  RunSettings settings;
  settings.repetitions = static_cast<int>(run.repetitions);
  settings.warmup = static_cast<int>(run.warmup);
  settings.directory = options.directory;
  settings.flags = *flags;
  settings.storage_unusable = hdf5_unusable;
  settings.deadline_s = run.deadline;
  SHARDMARK_ASSIGN_OR_RETURN(const RunResult result, run_cases(cases, settings, context, comm));
  environment.checkpoints.close();
  return report(result, context, options, *flags, comm.is_root());
}

}  // namespace shardmark::bench
