// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/google_benchmark.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "bench/harness/report/text_file.hpp"
#include "bench/harness/run/reporters.hpp"

namespace shardmark::bench {
namespace {

void set_counters(benchmark::State& state, const Sample& sample, const RunContext& context) {
  // No rates: means of them are not bytes over mean time.
  state.counters["ranks"] = context.num_ranks();
  state.counters["nodes"] = context.topology.num_nodes();
  if (sample.num_bytes) {
    state.counters["bytes"] = static_cast<double>(*sample.num_bytes);
  }
  if (sample.returned_s) {
    state.counters["returned_s"] = *sample.returned_s;
  }
  if (sample.durable_s) {
    state.counters["durable_s"] = *sample.durable_s;
  }
  for (const auto& [name, value] : sample.metrics) {
    state.counters[name] = value;
  }
  if (sample.cold) {
    state.SetLabel(std::string(cache_state_name(sample.cold->state)));
  }
}

void run_registration(benchmark::State& state, const Registration& registration,
                      const RunContext& context) {
  const Sample sample = registration.run([&](const std::function<double()>& operation) {
    for ([[maybe_unused]] auto _ : state) {
      state.SetIterationTime(operation());
    }
  });
  if (sample.error) {
    state.SkipWithError(sample.error->message.c_str());
  } else if (sample.skipped) {
    state.SkipWithError(sample.skipped->c_str());
  } else {
    set_counters(state, sample, context);
  }
}

/// Google Benchmark leaves the process alone where it cannot open its file: find out before.
Status check_output_files(const BenchmarkFlags& flags) {
  constexpr std::string_view prefix = "--benchmark_out=";
  for (const std::string& flag : flags.for_root) {
    if (flag.starts_with(prefix)) {
      const std::string path = flag.substr(prefix.size());
      std::FILE* file = path.empty() ? nullptr : std::fopen(path.c_str(), "ae");
      if (file == nullptr) {
        return Error{ErrorCode::invalid_argument, fmt::format("{}: cannot be written", flag)};
      }
      std::fclose(file);
    }
  }
  return {};
}

/// Google Benchmark's flags keep the values of the environment and of an earlier call: all are set.
Status initialize(const BenchmarkFlags& flags, const Communicator& comm,
                  const std::vector<std::string>& command_line) {
  // Google Benchmark keeps the pointer to the first word for its context.
  static std::string program;
  program = command_line.empty() ? "shardmark" : command_line.front();
  std::vector<std::string> words = {"--benchmark_filter=all", "--benchmark_list_tests=false",
                                    "--benchmark_out=", "--benchmark_time_unit=ms"};
  if (comm.is_root()) {
    words.insert(words.end(), flags.for_root.begin(), flags.for_root.end());
  }
  std::vector<char*> argv = {program.data()};
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  auto argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data());
  Status status;
  if (argc > 1) {
    status = Error{ErrorCode::invalid_argument,
                   fmt::format("{}: Google Benchmark does not understand this value", argv[1])};
  }
  return comm.agree(status);
}

std::string context_text(const FileSystem& filesystem) {
  return filesystem.type;
}
std::string context_text(const MpiIo& mpi_io) {
  return mpi_io.component;
}
std::string context_text(const std::map<std::string, std::string>& values) {
  return fmt::format("{}", values.size());
}
template <typename T>
std::string context_text(const std::vector<T>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}
std::string context_text(const auto& value) {
  return fmt::format("{}", value);
}

void add_context(const RunContext& context) {
  for (const ContextEntry& entry : context_entries(context)) {
    if (entry.in_benchmark_json) {
      benchmark::AddCustomContext(
          std::string(entry.key),
          std::visit([](const auto& value) { return context_text(value); }, entry.value));
    }
  }
}

void run_silently() {
  SilentReporter silent;
  benchmark::RunSpecifiedBenchmarks(&silent);
}

/// The document, in memory: half a JSON file is worth nothing.
std::string run_reporting(const BenchmarkFlags& flags) {
  std::ostringstream json;
  TeeReporter tee;
  auto json_reporter = std::make_unique<benchmark::JSONReporter>();
  json_reporter->SetOutputStream(&json);
  json_reporter->SetErrorStream(&json);
  tee.add(std::move(json_reporter));
  if (!flags.format.empty()) {
    tee.add(
        std::unique_ptr<benchmark::BenchmarkReporter>(benchmark::CreateDefaultDisplayReporter()));
  }
  benchmark::RunSpecifiedBenchmarks(&tee);
  return json.str();
}

}  // namespace

Status prepare_google_benchmark(const BenchmarkFlags& flags, const RunContext& context,
                                const Communicator& comm) {
  SHARDMARK_RETURN_IF_ERROR(comm.agree(comm.is_root() ? check_output_files(flags) : Status()));
  SHARDMARK_RETURN_IF_ERROR(initialize(flags, comm, context.command_line));
  static bool context_added = false;  // it is global there, and adding a key twice complains
  if (comm.is_root() && !context_added) {
    add_context(context);
    context_added = true;
  }
  return {};
}

Status run_registrations(const std::vector<Registration>& registrations,
                         const BenchmarkFlags& flags, const RunContext& context,
                         const std::string& directory, const Communicator& comm) {
  benchmark::ClearRegisteredBenchmarks();
  for (const Registration& registration : registrations) {
    benchmark::RegisterBenchmark(registration.name.c_str(),
                                 [&registration, &context](benchmark::State& state) {
                                   run_registration(state, registration, context);
                                 })
        ->Iterations(1)
        ->UseManualTime();
  }
  Status written;
  if (comm.is_root()) {
    const std::string json = run_reporting(flags);
    if (!directory.empty()) {
      written = replace_text_file(directory + "/benchmark.json", json);
    }
  } else {
    run_silently();
  }
  benchmark::ClearRegisteredBenchmarks();
  return comm.agree(written);
}

}  // namespace shardmark::bench
