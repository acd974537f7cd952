// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "bench/cli/grammar/command_reference.hpp"

namespace shardmark::bench {

// Completion scripts. Commands and options are written into them; suites, models and settings are
// asked of the program on its completed line, by `--generate suites`, so that they are its own.

std::string bash_completion(const ProgramReference& program);
std::string zsh_completion(const ProgramReference& program);
std::string fish_completion(const ProgramReference& program);

/// What completes the value of an option or a positional argument.
enum class ValueKind { anything, directory, config, model, setting };

/// Local. By the value's name in --help: "DIR".
ValueKind value_kind(std::string_view value);

/// Local. `text` with every character of `special` behind a backslash.
std::string escaped(std::string_view text, std::string_view special);

}  // namespace shardmark::bench
