// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/grammar/command_grammar.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>

namespace shardmark::bench {
namespace {

constexpr std::int64_t max_step = 99'999'999;
constexpr std::int64_t max_torture_seed = 999'999'999;
constexpr std::int64_t max_ranks = std::int64_t{1} << 31;

CLI::App& add_command(CLI::App& app, CommandArguments& to, const std::string& name,
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

void add_models(CLI::App& app, CommandArguments& to) {
  CLI::App& command = add_command(app, to, "models", "The model catalog, or one model's tensors",
                                  "  shardmark models\n"
                                  "  shardmark models llama3-8b --json\n");
  command.add_option("NAME", to.models.name, "A model of the catalog");
}

void add_chunks(CLI::App& app, CommandArguments& to) {
  CLI::App& command = add_command(
      app, to, "chunks", "Who owns which box of a sharded tensor",
      "  shardmark chunks --shape 10,7 --mesh 2,3 --placements \"S(0),R\"\n"
      "  shardmark chunks --shape 16,8 --mesh 2,2 --placements \"SS(0,2),S(0)\" --json\n"
      "  shardmark chunks --shape \"\" --mesh 4 --placements R        (a 0-d tensor)\n"
      "  shardmark chunks --type sharded --shape 4,6 --boxes \"1:0,0:4,2;0:0,2:4,4\"\n"
      "  shardmark chunks --type flat --shape 10,7 --mesh 4 --flat-before 5\n"
      "  shardmark chunks --type ragged --shape 10,7 --mesh 4 --units 3,1,0,4\n"
      "  shardmark chunks --type block-cyclic --shape 9,9 --mesh 2,3 --blocks 2,2 --source 1,0\n");
  command.add_option("--shape", to.chunks.shape, "Extents of the tensor; \"\" for a 0-d tensor")
      ->type_name("N,...")
      ->required();
  command
      .add_option("--mesh", to.chunks.mesh,
                  "Extents of the device mesh; optional with --boxes, which names ranks")
      ->type_name("N,...");
  command
      .add_option(
          "--placements", to.chunks.placements,
          "One for each mesh dimension: S(d) shard, R replicate, P partial (refused), SS(d,k) strided shard with split factor k. flat and ragged take S(0) and R; block-cyclic S(d) and R; sharded only without --boxes, replicas dropped. Optional for flat, ragged (cut over the whole mesh) and block-cyclic (mesh dimension d deals out dimension d)")
      ->type_name("P,...");
  command
      .add_option(
          "--type", to.chunks.type,
          "dtensor, sharded (an explicit list of boxes), flat (a range of the flattened concatenation of tensors: FSDP1, ZeRO), ragged (uneven units of elements) or block-cyclic (ScaLAPACK); default: dtensor")
      ->type_name("TYPE");
  command
      .add_option("--boxes", to.chunks.boxes,
                  "sharded: which rank holds which box, each as rank:offsets:sizes")
      ->type_name("R:N,...:N,...;...");
  command
      .add_option(
          "--units", to.chunks.units,
          "ragged: units of each rank; a unit is ceil(elements / all units); default: one each")
      ->type_name("N,...");
  command
      .add_option(
          "--blocks", to.chunks.blocks,
          "block-cyclic: block sizes; default: 64, less where a process would get none, whole dimensions that no placement cuts")
      ->type_name("N,...");
  command
      .add_option(
          "--source", to.chunks.source,
          "block-cyclic: for each tensor dimension the process that holds its first block; default: 0")
      ->type_name("N,...");
  command
      .add_option("--flat-before", to.chunks.flat_before,
                  "flat: elements of other tensors before this one; default: 0")
      ->type_name("N");
  command
      .add_option("--flat-after", to.chunks.flat_after,
                  "flat: elements of other tensors after this one; default: 0")
      ->type_name("N");
}

void add_plan(CLI::App& app, CommandArguments& to) {
  CLI::App& command =
      add_command(app, to, "plan", "Dry run for a world of any size: no tensor memory, no files",
                  "  shardmark plan quick\n"
                  "  shardmark plan quick --world 1024 --json\n"
                  "  shardmark plan quick --world 16384 --ranks 0:64\n"
                  "  shardmark plan mlperf-70b --world 4096 --storage lustre.toml\n");
  add_config(command, to.plan.config);
  add_integer(command, "--world", to.plan.world_size, std::int64_t{1}, max_ranks,
              "World size; default: run.ranks")
      ->type_name("N");
  command.add_option("--ranks", to.plan.ranks, "Play ranks A to B-1 only")->type_name("A:B");
  command
      .add_option("--storage", to.plan.storage,
                  "Foretell what it costs on a storage that this TOML file describes")
      ->type_name("FILE");
}

void add_run(CLI::App& app, CommandArguments& to) {
  CLI::App& command = add_command(app, to, "run", "The benchmark (under mpirun)",
                                  "  mpirun -n 4 shardmark run quick --out results/runs/quick\n"
                                  "  mpirun -n 8 shardmark run quick --set storage.io=collective\n"
                                  "  mpirun -n 4 shardmark run quick --benchmark_filter=save\n");
  add_config(command, to.run.config);
  command.add_flag("--overwrite", to.run.overwrite,
                   "Let --out replace results of another configuration");
  command.add_option("--out", to.run.out, "Folder for benchmark.json and samples.json")
      ->type_name("DIR");
  command.allow_extras();
  command.footer("\n--benchmark_... options go to Google Benchmark.\n" + command.get_footer());
}

void add_save(CLI::App& app, CommandArguments& to) {
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

void add_load(CLI::App& app, CommandArguments& to) {
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

void add_inspect(CLI::App& app, CommandArguments& to) {
  CLI::App& command = add_command(app, to, "inspect", "Tensors, chunks and files of a checkpoint",
                                  "  shardmark inspect /scratch/ck\n"
                                  "  shardmark inspect ck --step 7 --verify --json\n");
  command.add_option("DIR", to.inspect.directory, "The checkpoint folder")->required();
  add_step(command, to.inspect.step);
  command.add_flag("--verify", to.inspect.verify, "Check every checksum");
}

void add_probe(CLI::App& app, CommandArguments& to) {
  CLI::App& command = add_command(
      app, to, "probe", "What a file system does, found by doing it (alone or under mpirun)",
      "  shardmark probe /scratch/ck\n"
      "  mpirun -n 2 --map-by node shardmark probe /scratch/ck --json\n");
  command
      .add_option("DIR", to.probe.directory, "A directory on it; tried in a folder that is removed")
      ->required();
}

void add_torture(CLI::App& app, CommandArguments& to) {
  CLI::App& command = add_command(
      app, to, "torture", "Do checkpoints survive here: damages, kills, faults, power loss",
      "  shardmark torture --dir /scratch/me --quick\n"
      "  shardmark torture --dir /scratch/me --kinds damages --count 10000 --json\n"
      "  shardmark torture --dir /scratch/me --launcher \"srun --mpi=pmix\" --seed 7\n");
  command
      .add_option("--dir", to.torture.directory,
                  "On the storage to try, in a new folder that is removed; its parent must exist")
      ->type_name("DIR")
      ->required();
  command.add_flag("--quick", to.torture.quick, "A part of every kind, in less than two minutes");
  command
      .add_option("--kinds", to.torture.kinds,
                  "Only these of damages, kills, faults, power-loss; commas between")
      ->type_name("KIND,...");
  command
      .add_option("--count", to.torture.count,
                  "Attacks of each kind, or KIND=N with commas between")
      ->type_name("N");
  add_integer(command, "--seed", to.torture.seed, std::int64_t{0}, max_torture_seed,
              "Of all that is random; default: by the clock")
      ->type_name("X");
  add_integer(command, "--from", to.torture.from, std::int64_t{0}, max_torture_seed,
              "Leave out the attacks before: goes on with a seed")
      ->type_name("N");
  command
      .add_option("--launcher", to.torture.launcher,
                  "Starts ranks: \"mpirun\" (default), \"srun --mpi=pmix\"")
      ->type_name("CMD");
}

OptionReference reference(const CLI::Option& option) {
  OptionReference out;
  out.positional = option.get_positional();
  out.required = option.get_required();
  out.about = option.get_description();
  if (out.positional) {
    out.names = {option.get_name(true)};
    out.value = out.names.front();
    return out;
  }
  for (const std::string& name : option.get_snames()) {
    out.names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    out.names.push_back("--" + name);
  }
  if (option.get_expected_max() > 0) {
    out.value = option.get_type_name();
  }
  return out;
}

CommandReference reference(const CLI::App& app) {
  CommandReference out{.name = app.get_name(),
                       .about = app.get_description(),
                       .options = {},
                       .footer = app.get_footer()};
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) {
      out.options.push_back(reference(*option));
    }
  }
  std::stable_partition(out.options.begin(), out.options.end(),
                        [](const OptionReference& option) { return option.positional; });
  return out;
}

}  // namespace

std::unique_ptr<CLI::App> make_grammar(CommandArguments& to) {
  auto app = std::make_unique<CLI::App>(
      "MPI parallel-checkpoint benchmark suite for sharded training state", "shardmark");
  app->set_help_all_flag();
  app->add_flag("--version", to.version,
                "Own version and commit, Open MPI, HDF5, fmt, Google Benchmark, build type");
  app->add_flag("--json", to.json, "One JSON document on stdout; messages go to stderr");
  app->add_option("--generate", to.generate, "Prints a manual page, a completion or its words")
      ->group("");  // for builds and completions: not in --help
  app->footer(
      "\nExamples:\n"
      "  shardmark models\n"
      "  shardmark chunks --shape 10,7 --mesh 2,3 --placements \"S(0),R\"\n"
      "  shardmark plan quick --world 1024\n"
      "  mpirun -n 4 shardmark run quick --out results/runs/quick\n"
      "  shardmark COMMAND --help\n"
      "\nExit codes: 0 done; 2 arguments, configuration or a checkpoint that is not there;\n"
      "3 past run.deadline; 1 anything else that failed underneath.\n");
  add_models(*app, to);
  add_chunks(*app, to);
  add_plan(*app, to);
  add_run(*app, to);
  add_save(*app, to);
  add_load(*app, to);
  add_inspect(*app, to);
  add_probe(*app, to);
  add_torture(*app, to);
  return app;
}

ProgramReference program_reference() {
  CommandArguments unused;
  const std::unique_ptr<CLI::App> app = make_grammar(unused);
  ProgramReference out{reference(*app), {}};
  for (const CLI::App* command : app->get_subcommands(nullptr)) {
    out.commands.push_back(reference(*command));
  }
  return out;
}

}  // namespace shardmark::bench
