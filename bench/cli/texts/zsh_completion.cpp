// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench/cli/texts/shell_completion.hpp"

namespace shardmark::bench {
namespace {

/// In single quotes.
std::string zsh_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

std::string_view action(ValueKind kind) {
  switch (kind) {
    case ValueKind::anything:
      return " ";
    case ValueKind::directory:
      return "_files -/";
    case ValueKind::config:
      return "_shardmark_configs";
    case ValueKind::model:
      return "_shardmark_models";
    case ValueKind::setting:
      return "_shardmark_settings";
  }
  return {};
}

/// Specs of _arguments, one a name: '--dir[The checkpoint folder]:DIR:_files -/'.
std::vector<std::string> specs_of(const OptionReference& option) {
  const std::string value =
      option.value.empty()
          ? std::string()
          : fmt::format(":{}:{}", escaped(option.value, ":\\"), action(value_kind(option.value)));
  if (option.positional) {
    return {zsh_quoted((option.required ? "1" : "1:") + value)};
  }
  std::vector<std::string> specs;
  for (const std::string& name : option.names) {
    const bool repeats = value_kind(option.value) == ValueKind::setting;
    specs.push_back(zsh_quoted(fmt::format("{}{}{}[{}]{}", repeats ? "*" : "", name,
                                           option.value.empty() ? "" : "=",
                                           escaped(option.about, "[]\\"), value)));
  }
  return specs;
}

std::string specs_of(const CommandReference& command, std::string_view indent) {
  std::vector<std::string> all;
  for (const OptionReference& option : command.options) {
    for (std::string& spec : specs_of(option)) {
      all.push_back(std::move(spec));
    }
  }
  return fmt::to_string(fmt::join(all, fmt::format(" \\\n{}", indent)));
}

constexpr std::string_view zsh_opening = R"zsh(#compdef shardmark
# zsh completion for shardmark, made by `shardmark --generate zsh`

_shardmark_known() { # KIND: fills `known`
  known=(${(f)"$($program --generate $1 2>/dev/null)"})
}

_shardmark_configs() {
  local -a known
  _shardmark_known suites
  _alternative 'suites:suite:compadd -a known' 'files:file:_files -g "*.toml"'
}

_shardmark_models() {
  local -a known
  _shardmark_known models
  compadd -a known
}

_shardmark_settings() {
  local -a known
  _shardmark_known settings
  if [[ $PREFIX == *=* ]]; then
    compadd -a known
  else
    known=(${(u)${known%%=*}})
    compadd -S = -a known
  fi
}

_shardmark() {
  local program=$words[1] curcontext=$curcontext state line
  local -a commands
  typeset -A opt_args
)zsh";

}  // namespace

std::string zsh_completion(const ProgramReference& program) {
  std::string text(zsh_opening);
  text += "  commands=(\n";
  std::string arms;
  for (const CommandReference& command : program.commands) {
    text += fmt::format("    {}\n", zsh_quoted(command.name + ":" + escaped(command.about, ":\\")));
    arms += fmt::format("        {})\n          _arguments {}\n          ;;\n", command.name,
                        specs_of(command, "            "));
  }
  text += fmt::format(
      "  )\n"
      "  _arguments -C {} \\\n"
      "    '1: :->command' '*:: :->argument'\n"
      "  case $state in\n"
      "    command) _describe -t commands command commands ;;\n"
      "    argument)\n"
      "      case $words[1] in\n"
      "{}      esac\n"
      "      ;;\n"
      "  esac\n"
      "}}\n\n"
      "_shardmark \"$@\"\n",
      specs_of(program.program, "    "), arms);
  return text;
}

}  // namespace shardmark::bench
