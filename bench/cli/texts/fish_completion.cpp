// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "bench/cli/texts/shell_completion.hpp"

namespace shardmark::bench {
namespace {

std::string fish_quoted(std::string_view text) {
  return fmt::format("'{}'", escaped(text, "'\\"));
}

/// Arguments of `complete` that offer a value; an option without them takes anything.
std::string_view candidates(ValueKind kind) {
  switch (kind) {
    case ValueKind::anything:
      return "";
    case ValueKind::directory:
      return " -a '(__fish_complete_directories)'";
    case ValueKind::config:
      return " -a '(__shardmark_known suites; __fish_complete_suffix .toml)'";
    case ValueKind::model:
      return " -a '(__shardmark_known models)'";
    case ValueKind::setting:
      return " -a '(__shardmark_known settings)'";
  }
  return {};
}

std::string lines_of(const CommandReference& command, const std::string& condition) {
  std::string text;
  for (const OptionReference& option : command.options) {
    std::string names;
    for (const std::string& name : option.names) {
      if (!option.positional) {
        names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
    }
    const ValueKind kind = option.value.empty() ? ValueKind::anything : value_kind(option.value);
    const bool option_value = !option.value.empty() && !option.positional;
    // With a description here, every suite's name would carry that of CONFIG.
    const std::string about = option.positional ? "" : " -d " + fish_quoted(option.about);
    text += fmt::format("complete -c shardmark -n {}{}{}{}{}\n", fish_quoted(condition), names,
                        option_value ? " -x" : "", candidates(kind), about);
  }
  return text;
}

}  // namespace

std::string fish_completion(const ProgramReference& program) {
  std::string text =
      "# fish completion for shardmark, made by `shardmark --generate fish`\n\n"
      "function __shardmark_known\n"
      "    set -l program (commandline -opc)[1]\n"
      "    $program --generate $argv[1] 2>/dev/null\n"
      "end\n\n"
      "complete -c shardmark -f\n";
  text += lines_of(program.program, "__fish_use_subcommand");
  for (const CommandReference& command : program.commands) {
    text += fmt::format("complete -c shardmark -n __fish_use_subcommand -a {} -d {}\n",
                        command.name, fish_quoted(command.about));
  }
  for (const CommandReference& command : program.commands) {
    text += '\n';
    text += lines_of(command, "__fish_seen_subcommand_from " + command.name);
  }
  return text;
}

}  // namespace shardmark::bench
