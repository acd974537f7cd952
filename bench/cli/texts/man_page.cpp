// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/texts/man_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

namespace shardmark::bench {
namespace {

/// Text that roff prints as it is: no escapes, no requests, hyphens that can be copied.
std::string plain(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) {
      out += "\\&";
    }
    line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string bold(std::string_view text) {
  return fmt::format("\\fB{}\\fR", plain(text));
}

std::string italic(std::string_view text) {
  return fmt::format("\\fI{}\\fR", plain(text));
}

std::string names_of(const OptionReference& option) {
  if (option.positional) {
    return italic(option.names.front());
  }
  std::vector<std::string> names;
  for (const std::string& name : option.names) {
    names.push_back(bold(name));
  }
  const std::string value =
      option.value.empty() ? std::string() : fmt::format(" {}", italic(option.value));
  return fmt::format("{}{}", fmt::join(names, ", "), value);
}

std::string tagged(const std::string& tag, const std::string& text) {
  return fmt::format(".TP\n{}\n{}\n", tag, text);
}

std::string options_text(const CommandReference& command) {
  std::string text;
  for (const OptionReference& option : command.options) {
    text +=
        tagged(names_of(option), plain(option.about) + (option.required ? " (required)." : "."));
  }
  return text;
}

std::string synopsis_of(const CommandReference& command) {
  std::string text = fmt::format(".B shardmark {}\n", command.name);
  for (const OptionReference& option : command.options) {
    const std::string name = option.positional || option.value.empty()
                                 ? names_of(option)
                                 : bold(option.names.back()) + " " + italic(option.value);
    if (option.names.back() != "--help") {
      text += option.required ? name + "\n" : fmt::format("[{}]\n", name);
    }
  }
  return text;
}

/// The examples below "Examples:" after `paragraph`, the notes above it as a paragraph.
std::string footer_text(const std::string& footer, std::string_view paragraph) {
  constexpr std::string_view heading = "Examples:\n";
  const std::size_t at = footer.find(heading);
  std::string notes = footer.substr(0, at);
  notes.erase(0, notes.find_first_not_of('\n'));
  while (notes.ends_with('\n')) {
    notes.pop_back();
  }
  std::string text = notes.empty() ? std::string() : fmt::format(".PP\n{}\n", plain(notes));
  if (at != std::string::npos) {
    std::string examples = footer.substr(at + heading.size());
    examples = examples.substr(0, examples.find("\n\n"));
    while (examples.ends_with('\n')) {
      examples.pop_back();
    }
    text += fmt::format("{}.EX\n{}\n.EE\n", paragraph, plain(examples));
  }
  return text;
}

std::string commands_text(const ProgramReference& program) {
  std::string text = ".SH OPTIONS\n" + options_text(program.program) + ".SH COMMANDS\n";
  for (const CommandReference& command : program.commands) {
    text += fmt::format(".SS {}\n{}.\n{}{}", plain(command.name), plain(command.about),
                        options_text(command), footer_text(command.footer, ".PP\n"));
  }
  return text;
}

std::string configuration_text(std::span<const KeyReference> keys) {
  std::string text =
      ".SH CONFIGURATION\n"
      "A configuration is a TOML file. A name without a slash and without .toml means\n"
      "suites/NAME.toml in the first place that has it: the folders of\n"
      ".BR SHARDMARK_CONFIG_PATH ,\n"
      "the source tree, the installation. A list\n"
      ".B include\n"
      "at the top names pieces, as in include = [\"models/x\", \"storage/y\"], over which the\n"
      "file's own keys win;\n"
      ".B \\-\\-set\n"
      "wins over both. The table\n"
      ".B [sweep]\n"
      "gives keys lists of values, as in \"storage.io\" = [\"collective\", \"independent\"];\n"
      ".B shardmark run\n"
      "runs their product, the other commands use the base values.\n"
      "Byte sizes are integers or strings such as \"64KiB\".\n";
  std::string_view section;
  for (const KeyReference& key : keys) {
    if (const auto name = key.name.substr(0, key.name.find('.')); name != section) {
      section = name;
      text += fmt::format(".SS [{}]\n", section);
    }
    text += tagged(
        fmt::format("{} ({})", bold(key.name), key.type),
        fmt::format("{}.\n{}.{}", plain(key.about), plain(key.takes),
                    key.fallback.empty() ? std::string()
                                         : fmt::format("\nDefault: {}.", plain(key.fallback))));
  }
  return text;
}

constexpr std::string_view description =
    "Shardmark measures how sharded training state is saved and loaded: the hooks of the tensor\n"
    "types, the planning, and the I/O to parallel HDF5, each by itself and all together. The\n"
    "commands\n"
    ".BR run ,\n"
    ".BR save\n"
    "and\n"
    ".BR load\n"
    "play one rank a process and are started by\n"
    ".BR mpirun (1)\n"
    "or\n"
    ".BR srun (1).\n"
    "The others need one process and do not start MPI. With\n"
    ".B \\-\\-json\n"
    "a command prints exactly one JSON document on standard output; messages go to standard error.\n";

constexpr std::string_view man_closing =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\n"
    "Something failed underneath: a checksum or value mismatch, damaged files, an I/O error, no\n"
    "space, a failed benchmark case, another rank's failure.\n"
    ".TP\n.B 2\n"
    "Arguments or configuration; a checkpoint, step or tensor that is not there, is there already,\n"
    "or has another shape or dtype.\n"
    ".TP\n.B 3\n"
    "An operation took longer than run.deadline, and run.late is end.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B SHARDMARK_CONFIG_PATH\n"
    "Folders with configurations, separated by colons, looked at before all others.\n"
    ".TP\n.BR OMPI_COMM_WORLD_RANK \", \" OMPI_COMM_WORLD_SIZE \", \" PMIX_RANK \", \" PMI_RANK\n"
    "Set by launchers. Where one is, commands that need one process run on rank 0 alone.\n"
    ".TP\n.BR NO_COLOR \", \" TERM\n"
    "Colours are for terminals only, and not where NO_COLOR is set or TERM is dumb.\n"
    ".SH FILES\n"
    ".TP\n.I DIR/step\\-NNNNNNNN/COMMIT\n"
    "Its presence makes a step loadable.\n"
    ".TP\n.I DIR/step\\-NNNNNNNN/checkpoint.h5\n"
    "The checkpoint, readable by every HDF5 program: /tensors/NAME has the global shape.\n"
    ".TP\n.I DIR/.step\\-NNNNNNNN.partial\\-ID/\n"
    "A save under way, or what a dead one left; a later save removes the latter.\n"
    ".TP\n.I OUT/benchmark.json, OUT/samples.json\n"
    "Results of a run: Google Benchmark's own form, and every sample.\n"
    ".TP\n.I PREFIX/share/shardmark/configs/\n"
    "The installed configurations: models, storage, suites.\n";

}  // namespace

std::string man_page(const ProgramReference& program, std::span<const KeyReference> keys,
                     const std::string& version) {
  std::string text = fmt::format(
      ".\\\" SPDX-License-Identifier: Apache-2.0\n"
      ".TH SHARDMARK 1 \"\" \"shardmark {}\" \"User Commands\"\n"
      ".SH NAME\nshardmark \\- {}\n.SH SYNOPSIS\n.nh\n.ad l\n",
      version, plain(program.program.about));
  for (const CommandReference& command : program.commands) {
    text += synopsis_of(command) + ".br\n";
  }
  text += ".B shardmark \\-\\-version\n[\\fB\\-\\-json\\fR]\n.ad\n.hy\n.SH DESCRIPTION\n";
  text += description;
  text += commands_text(program) + configuration_text(keys);
  text += man_closing;
  text += ".SH EXAMPLES\n" + footer_text(program.program.footer, "") +
          ".SH SEE ALSO\n.BR mpirun (1),\n.BR h5dump (1)\n";
  return text;
}

}  // namespace shardmark::bench
