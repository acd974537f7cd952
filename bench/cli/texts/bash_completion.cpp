// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "bench/cli/texts/shell_completion.hpp"

namespace shardmark::bench {
namespace {

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::anything:
      return "anything";
    case ValueKind::directory:
      return "directories";
    case ValueKind::config:
      return "configs";
    case ValueKind::model:
      return "models";
    case ValueKind::setting:
      return "settings";
  }
  return {};
}

std::string option_words(const CommandReference& command) {
  std::vector<std::string> words;
  for (const OptionReference& option : command.options) {
    if (!option.positional) {
      words.insert(words.end(), option.names.begin(), option.names.end());
    }
  }
  return fmt::to_string(fmt::join(words, " "));
}

std::string_view positional_kind(const CommandReference& command) {
  for (const OptionReference& option : command.options) {
    if (option.positional) {
      return kind_name(value_kind(option.value));
    }
  }
  return "options";
}

/// Names of the options that take a value of this kind, as a pattern: "--dir | --out".
std::string names_pattern(const ProgramReference& program, ValueKind kind) {
  std::set<std::string> names;
  for (const CommandReference& command : program.commands) {
    for (const OptionReference& option : command.options) {
      if (!option.positional && !option.value.empty() && value_kind(option.value) == kind) {
        names.insert(option.names.begin(), option.names.end());
      }
    }
  }
  return fmt::to_string(fmt::join(names, " | "));
}

constexpr std::string_view bash_opening = R"bash(# shellcheck shell=bash
# bash completion for shardmark, made by `shardmark --generate bash`

_shardmark_candidates() { # PROGRAM KIND CURRENT COMMANDS OPTIONS
  local -a known=()
  case $2 in
    commands) mapfile -t COMPREPLY < <(compgen -W "$4" -- "$3") ;;
    options) mapfile -t COMPREPLY < <(compgen -W "$5" -- "$3") ;;
    directories)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$3")
      ;;
    configs)
      if [[ $3 == */* || $3 == .* ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$3"; compgen -f -X '!*.toml' -- "$3")
      else
        mapfile -t COMPREPLY < <(compgen -W "$("$1" --generate suites 2>/dev/null)" -- "$3")
      fi
      ;;
    models) mapfile -t COMPREPLY < <(compgen -W "$("$1" --generate models 2>/dev/null)" -- "$3") ;;
    settings)
      mapfile -t known < <("$1" --generate settings 2>/dev/null)
      if [[ $3 != *=* ]]; then
        compopt -o nospace 2>/dev/null
        mapfile -t known < <(printf '%s=\n' "${known[@]%%=*}" | sort -u)
      fi
      mapfile -t COMPREPLY < <(compgen -W "${known[*]}" -- "$3")
      ;;
  esac
}

_shardmark() {
  local word current previous prefix='' command='' kind='' options='' positional='' i
  local -a words=()
  # Readline breaks words at '=' and ':', which belong to ours.
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if ((i > 1)) && [[ $word == [=:] || ${COMP_WORDS[i - 1]} == [=:] ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  current=${words[-1]}
  previous=${words[-2]}
  word=${COMP_WORDS[COMP_CWORD]}
  [[ $word != [=:] ]] || word=
  prefix=${current%"$word"}
  if [[ $current == --*=* ]]; then
    previous=${current%%=*}
    prefix=${prefix#"$previous="}
    current=${current#*=}
  fi
)bash";

constexpr std::string_view bash_closing = R"bash(
  _shardmark_candidates "$1" "$kind" "$current" "$commands" "$options"
  COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
}

complete -F _shardmark shardmark
)bash";

}  // namespace

std::string bash_completion(const ProgramReference& program) {
  std::string arms =
      fmt::format("      '') kind=commands options='{}' ;;\n", option_words(program.program));
  std::vector<std::string> names;
  for (const CommandReference& command : program.commands) {
    names.push_back(command.name);
    arms += fmt::format("      {}) kind={} options='{}' ;;\n", command.name,
                        positional_kind(command), option_words(command));
  }
  const std::string free = names_pattern(program, ValueKind::anything);
  const std::string directories = names_pattern(program, ValueKind::directory);
  const std::string settings = names_pattern(program, ValueKind::setting);
  const std::string body = fmt::format(
      "  local commands='{}'\n"
      "  for ((i = 1; i < ${{#words[@]}} - 1; ++i)); do\n"
      "    case ${{words[i]}} in\n"
      "      {} | {} | {}) ((++i)) ;;\n"
      "      -*) ;;\n"
      "      *) if [[ -z $command ]]; then command=${{words[i]}}; else positional=1; fi ;;\n"
      "    esac\n"
      "  done\n"
      "  case $previous in\n"
      "    {}) kind=directories ;;\n"
      "    {}) kind=settings ;;\n"
      "    {}) kind=anything ;;\n"
      "  esac\n"
      "  if [[ -z $kind ]]; then\n"
      "    case $command in\n"
      "{}    esac\n"
      "    if [[ $current == -* || -n $positional ]]; then\n"
      "      kind=options\n"
      "    fi\n"
      "  fi",
      fmt::join(names, " "), directories, settings, free, directories, settings, free, arms);
  return std::string(bash_opening) + body + std::string(bash_closing);
}

}  // namespace shardmark::bench
