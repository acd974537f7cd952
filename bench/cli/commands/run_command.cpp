// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/run_command.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/config/error_origin.hpp"
#include "bench/config/resolve.hpp"
#include "bench/suite/run_suite.hpp"
#include "bench/text/text_style.hpp"

namespace shardmark::bench {
namespace {

/// The words that started this process, --set and all.
std::vector<std::string> own_command_line() {
  std::vector<std::string> words;
  std::ifstream file("/proc/self/cmdline");
  for (std::string word; std::getline(file, word, '\0');) {
    words.push_back(word);
  }
  if (words.empty()) {
    words.emplace_back("shardmark");
  }
  return words;
}

struct Suite {
  std::string name;
  std::vector<SweepCase> points;
};

/// Local.
Result<Suite> read_suite(const ConfigArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigDocument document,
                             read_config(arguments.config, arguments.overrides));
  SHARDMARK_ASSIGN_OR_RETURN(auto points, resolve_sweep(document));
  return Suite{std::filesystem::path(document.path).stem().string(), std::move(points)};
}

}  // namespace

Result<CommandOutput> run_command(const RunArguments& arguments, const Communicator& comm) {
  const auto suite = read_suite(arguments.config);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(suite)));
  SuiteOptions options;
  options.suite = suite->name;
  options.directory = arguments.out;
  options.overwrite = arguments.overwrite;
  options.benchmark_flags = arguments.benchmark_flags;
  options.command_line = own_command_line();
  options.json = arguments.json;
  options.style = text_style(stdout);
  auto outcome = run_suite(suite->points, options, comm);
  if (!outcome) {
    return with_origin(outcome.error(), suite->points);
  }
  return CommandOutput{std::move(outcome->text), std::move(outcome->error)};
}

}  // namespace shardmark::bench
