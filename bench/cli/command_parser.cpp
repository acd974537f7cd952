// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_parser.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>

#include "bench/cli/chunks_command.hpp"
#include "bench/cli/inspect_command.hpp"
#include "bench/cli/load_command.hpp"
#include "bench/cli/models_command.hpp"
#include "bench/cli/plan_command.hpp"
#include "bench/cli/run_command.hpp"
#include "bench/cli/save_command.hpp"
#include "bench/cli/version_command.hpp"
#include "shardmark/core/nearest_name.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t max_step = 99'999'999;
constexpr std::int64_t max_ranks = std::int64_t{1} << 31;
constexpr std::string_view benchmark_prefix = "--benchmark_";

/// Where the parser puts what it finds.
struct Arguments {
  bool json = false;
  bool version = false;
  ModelsArguments models;
  ChunksArguments chunks;
  PlanArguments plan;
  RunArguments run;
  SaveArguments save;
  LoadArguments load;
  InspectArguments inspect;
};

CLI::App& add_command(CLI::App& app, Arguments& to, const std::string& name,
                      const std::string& about, const std::string& examples) {
  CLI::App& command = *app.add_subcommand(name, about);
  command.footer("\nExamples:\n" + examples);
  command.add_flag("--json", to.json, "One JSON document on stdout; messages go to stderr");
  return command;
}

void add_config(CLI::App& command, ConfigArguments& to) {
  command
      .add_option("CONFIG", to.config,
                  "A path if it has a '/' or ends in .toml, else a name under configs/suites/")
      ->required();
  command
      .add_option("--set", to.overrides,
                  "section.key=value: overrides a configuration key; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

/// An option of one decimal integer: CLI11's own reading takes -1 for 2^64 - 1 and 010 for 8.
template <typename Target, typename Int>
CLI::Option* add_integer(CLI::App& command, const std::string& name, Target& to, Int minimum,
                         Int maximum, const std::string& about) {
  const auto parse = [name, &to, minimum, maximum](const std::string& text) {
    Int value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < minimum ||
        value > maximum) {
      throw CLI::ValidationError(name, fmt::format("found '{}', expected an integer from {} to {}",
                                                   text, minimum, maximum));
    }
    to = value;
  };
  return command.add_option_function<std::string>(name, parse, about);
}

void add_step(CLI::App& command, std::optional<std::int64_t>& to) {
  add_integer(command, "--step", to, std::int64_t{0}, max_step,
              "The step; default: the newest committed one")
      ->type_name("S");
}

void add_models(CLI::App& app, Arguments& to) {
  CLI::App& command = add_command(app, to, "models", "The model catalog, or one model's tensors",
                                  "  shardmark models\n"
                                  "  shardmark models llama3-8b --json\n");
  command.add_option("NAME", to.models.name, "A model of the catalog");
}

void add_chunks(CLI::App& app, Arguments& to) {
  CLI::App& command = add_command(
      app, to, "chunks", "Who owns which box of a sharded tensor",
      "  shardmark chunks --shape 10,7 --mesh 2,3 --placements \"S(0),R\"\n"
      "  shardmark chunks --shape 16,8 --mesh 2,2 --placements \"SS(0,2),S(0)\" --json\n"
      "  shardmark chunks --shape \"\" --mesh 4 --placements R        (a 0-d tensor)\n");
  command.add_option("--shape", to.chunks.shape, "Extents of the tensor; \"\" for a 0-d tensor")
      ->type_name("N,...")
      ->required();
  command.add_option("--mesh", to.chunks.mesh, "Extents of the device mesh")
      ->type_name("N,...")
      ->required();
  command
      .add_option("--placements", to.chunks.placements,
                  "One for each mesh dimension: S(d) shard, R replicate, P partial (refused), "
                  "SS(d,k) strided shard with split factor k")
      ->type_name("P,...")
      ->required();
  command
      .add_option("--type", to.chunks.type,
                  "dtensor, sharded, flat, ragged or block-cyclic; default: dtensor")
      ->type_name("TYPE");
}

void add_plan(CLI::App& app, Arguments& to) {
  CLI::App& command =
      add_command(app, to, "plan", "Dry run for a world of any size: no tensor memory, no files",
                  "  shardmark plan quick\n"
                  "  shardmark plan quick --world 1024 --json\n"
                  "  shardmark plan quick --world 16384 --ranks 0:64\n");
  add_config(command, to.plan.config);
  add_integer(command, "--world", to.plan.world_size, std::int64_t{1}, max_ranks,
              "World size; default: run.ranks")
      ->type_name("N");
  command.add_option("--ranks", to.plan.ranks, "Play ranks A to B-1 only")->type_name("A:B");
}

void add_run(CLI::App& app, Arguments& to) {
  CLI::App& command = add_command(app, to, "run", "The benchmark (under mpirun)",
                                  "  mpirun -n 4 shardmark run quick --out results/runs/quick\n"
                                  "  mpirun -n 8 shardmark run quick --set storage.io=collective\n"
                                  "  mpirun -n 4 shardmark run quick --benchmark_filter=save\n");
  add_config(command, to.run.config);
  command.add_option("--out", to.run.out, "Folder for benchmark.json and samples.json")
      ->type_name("DIR");
  command.allow_extras();
  command.footer("\n--benchmark_... options go to Google Benchmark.\n" + command.get_footer());
}

void add_save(CLI::App& app, Arguments& to) {
  CLI::App& command =
      add_command(app, to, "save", "Save one checkpoint (under mpirun)",
                  "  mpirun -n 4 shardmark save quick --dir /scratch/ck --step 7\n"
                  "  mpirun -n 2 shardmark save quick --dir ck --step 8 --seed 3 --json\n");
  add_config(command, to.save.config);
  command.add_option("--dir", to.save.directory, "The checkpoint folder; its parent must exist")
      ->type_name("DIR")
      ->required();
  add_integer(command, "--step", to.save.step, std::int64_t{0}, max_step,
              "The step; must not exist yet")
      ->type_name("S")
      ->required();
  add_integer(command, "--seed", to.save.seed, std::uint64_t{0},
              std::numeric_limits<std::uint64_t>::max(), "Seed of the values; default: 0")
      ->type_name("X");
}

void add_load(CLI::App& app, Arguments& to) {
  CLI::App& command =
      add_command(app, to, "load", "Load at any world size and strategy (under mpirun)",
                  "  mpirun -n 3 shardmark load quick --dir /scratch/ck --verify\n"
                  "  mpirun -n 4 shardmark load quick --dir ck --step 7 --only 'layers.0.*'\n");
  add_config(command, to.load.config);
  command.add_option("--dir", to.load.directory, "The checkpoint folder")
      ->type_name("DIR")
      ->required();
  add_step(command, to.load.step);
  command.add_flag("--verify", to.load.verify, "Check every value against the value law");
  command.add_option("--only", to.load.only, "Load only the tensors whose names match")
      ->type_name("GLOB");
}

void add_inspect(CLI::App& app, Arguments& to) {
  CLI::App& command = add_command(app, to, "inspect", "Tensors, chunks and files of a checkpoint",
                                  "  shardmark inspect /scratch/ck\n"
                                  "  shardmark inspect ck --step 7 --verify --json\n");
  command.add_option("DIR", to.inspect.directory, "The checkpoint folder")->required();
  add_step(command, to.inspect.step);
  command.add_flag("--verify", to.inspect.verify, "Check every checksum");
}

std::unique_ptr<CLI::App> make_parser(Arguments& to) {
  auto app = std::make_unique<CLI::App>(
      "MPI parallel-checkpoint benchmark suite for sharded training state", "shardmark");
  app->set_help_all_flag();
  app->add_flag("--version", to.version,
                "Own version and commit, Open MPI, HDF5, fmt, Google Benchmark, build type");
  app->add_flag("--json", to.json, "One JSON document on stdout; messages go to stderr");
  app->footer(
      "\nExamples:\n"
      "  shardmark models\n"
      "  shardmark chunks --shape 10,7 --mesh 2,3 --placements \"S(0),R\"\n"
      "  shardmark plan quick --world 1024\n"
      "  mpirun -n 4 shardmark run quick --out results/runs/quick\n"
      "  shardmark COMMAND --help\n"
      "\nExit codes: 0 done; 2 arguments, configuration or a checkpoint that is not there;\n"
      "1 anything that failed underneath.\n");
  add_models(*app, to);
  add_chunks(*app, to);
  add_plan(*app, to);
  add_run(*app, to);
  add_save(*app, to);
  add_load(*app, to);
  add_inspect(*app, to);
  return app;
}

CLI::App* chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.front();
}

Error refused(const CLI::App* command, const std::string& what) {
  return {ErrorCode::invalid_argument,
          fmt::format("{}\nsee 'shardmark {}--help'", what,
                      command == nullptr ? std::string() : command->get_name() + " ")};
}

/// The first argument that nothing took, with what it was probably meant to be.
Status check_extras(const CLI::App& app, const CLI::App* command) {
  for (const std::string& extra : app.remaining(true)) {
    if (command != nullptr && command->get_name() == "run" && extra.starts_with(benchmark_prefix)) {
      continue;
    }
    const CLI::App& owner = command == nullptr ? app : *command;
    std::vector<std::string> names;
    if (extra.starts_with("-")) {
      for (const CLI::Option* option : owner.get_options()) {
        names.push_back(option->get_name());
      }
    } else if (command == nullptr) {
      for (const CLI::App* known : app.get_subcommands(nullptr)) {
        names.push_back(known->get_name());
      }
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string name = extra.substr(0, extra.find('='));
    if (command == nullptr && !extra.starts_with("-")) {
      return refused(command, fmt::format("unknown command '{}', expected one of {}{}", extra,
                                          fmt::join(known, ", "), did_you_mean(name, known)));
    }
    return refused(command,
                   fmt::format("unexpected argument '{}'{}", extra, did_you_mean(name, known)));
  }
  return {};
}

/// CLI11 takes the argument after "--name=" as its value; an empty value must stay one.
std::vector<std::string> with_empty_values(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (const std::string& argument : arguments) {
    if (argument.starts_with("--") && argument.ends_with('=') &&
        argument.find('=') == argument.size() - 1 && !argument.starts_with(benchmark_prefix)) {
      out.push_back(argument.substr(0, argument.size() - 1));
      out.emplace_back();
    } else {
      out.push_back(argument);
    }
  }
  return out;
}

ParsedCommand make_command(const CLI::App& command, std::shared_ptr<Arguments> from) {
  const bool json = from->json;
  const auto local = [&](auto& arguments, auto* function) {
    arguments.json = json;
    return ParsedCommand{json, [from, &arguments, function] { return function(arguments); }, {}};
  };
  const auto collective = [&](auto& arguments, auto* function) {
    arguments.json = json;
    return ParsedCommand{json, {}, [from, &arguments, function](const Communicator& comm) {
                           return function(arguments, comm);
                         }};
  };
  const std::string& name = command.get_name();
  if (name == "models") {
    return local(from->models, models_command);
  }
  if (name == "chunks") {
    return local(from->chunks, chunks_command);
  }
  if (name == "plan") {
    return local(from->plan, plan_command);
  }
  if (name == "inspect") {
    return local(from->inspect, inspect_command);
  }
  if (name == "save") {
    return collective(from->save, save_command);
  }
  if (name == "load") {
    return collective(from->load, load_command);
  }
  from->run.benchmark_flags = command.remaining();
  return collective(from->run, run_command);
}

}  // namespace

Result<ParsedCommand> parse_command(const std::vector<std::string>& arguments) {
  const auto found = std::make_shared<Arguments>();
  const std::unique_ptr<CLI::App> app = make_parser(*found);
  std::string failure;
  try {
    std::vector<std::string> reversed = with_empty_values(arguments);
    std::reverse(reversed.begin(), reversed.end());
    app->parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return ParsedCommand{false, [text = app->help()] { return CommandOutput{text}; }, {}};
  } catch (const CLI::ParseError& error) {
    failure = error.what();
  }
  const CLI::App* command = chosen(*app);
  // Before what CLI11 says: a misspelt option is also a missing one.
  SHARDMARK_RETURN_IF_ERROR(check_extras(*app, command));
  if (!failure.empty()) {
    return refused(command, failure);
  }
  if (found->version) {
    const bool json = found->json;
    return ParsedCommand{json, [json] { return version_command(json); }, {}};
  }
  if (command == nullptr) {
    return refused(nullptr,
                   "no command, expected one of models, chunks, plan, run, save, load, inspect");
  }
  return make_command(*command, found);
}

}  // namespace shardmark::bench
