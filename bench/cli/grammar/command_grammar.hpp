// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "bench/cli/commands/chunks_command.hpp"
#include "bench/cli/commands/inspect_command.hpp"
#include "bench/cli/commands/load_command.hpp"
#include "bench/cli/commands/models_command.hpp"
#include "bench/cli/commands/plan_command.hpp"
#include "bench/cli/commands/probe_command.hpp"
#include "bench/cli/commands/run_command.hpp"
#include "bench/cli/commands/save_command.hpp"
#include "bench/cli/commands/torture_command.hpp"
#include "bench/cli/grammar/command_reference.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
}

namespace shardmark::bench {

/// Where the grammar puts what it finds.
struct CommandArguments {
  bool json = false;
  bool version = false;
  std::string generate;  // what to generate instead of running a command
  ModelsArguments models;
  ChunksArguments chunks;
  PlanArguments plan;
  RunArguments run;
  SaveArguments save;
  LoadArguments load;
  InspectArguments inspect;
  ProbeArguments probe;
  TortureArguments torture;
};

/// Local. Commands and options, said once: parsing, --help, the manual page and the completions
/// all come from here. `to` must outlive the result.
std::unique_ptr<CLI::App> make_grammar(CommandArguments& to);

/// Local. The same as data, without what --help hides.
ProgramReference program_reference();

}  // namespace shardmark::bench
