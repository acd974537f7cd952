// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/texts/generate_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/cli/texts/man_page.hpp"
#include "bench/cli/texts/shell_completion.hpp"
#include "bench/config/config_lookup.hpp"
#include "bench/machine/build_info.hpp"
#include "shardmark/core/nearest_name.hpp"
#include "shardmark/workload/catalog.hpp"

namespace shardmark::bench {
namespace {

template <typename Names>
std::string lines(const Names& names) {
  return fmt::format("{}\n", fmt::join(names, "\n"));
}

/// "key=value" for every word of a closed set, "key=" for the others.
std::string setting_lines() {
  std::string text;
  for (const KeyReference& key : config_reference()) {
    if (key.words.empty()) {
      text += fmt::format("{}=\n", key.name);
    }
    for (const std::string& word : key.words) {
      text += fmt::format("{}={}\n", key.name, word);
    }
  }
  return text;
}

struct Generator {
  std::string_view name;
  std::string (*make)();
};

constexpr std::array<Generator, 7> generators = {{
    {"man", [] { return man_page(program_reference(), config_reference(), build_info().version); }},
    {"bash", [] { return bash_completion(program_reference()); }},
    {"zsh", [] { return zsh_completion(program_reference()); }},
    {"fish", [] { return fish_completion(program_reference()); }},
    {"suites", [] { return lines(suite_names(config_roots())); }},
    {"models", [] { return lines(model_names()); }},
    {"settings", setting_lines},
}};

}  // namespace

Result<CommandOutput> generate_command(const std::string& what) {
  std::vector<std::string_view> names;
  for (const Generator& generator : generators) {
    if (generator.name == what) {
      return CommandOutput{generator.make()};
    }
    names.push_back(generator.name);
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("--generate '{}': expected one of {}{}", what, fmt::join(names, ", "),
                           did_you_mean(what, names))};
}

}  // namespace shardmark::bench
