// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_parser.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "bench/cli/commands/version_command.hpp"
#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/cli/texts/generate_command.hpp"
#include "shardmark/core/nearest_name.hpp"

namespace shardmark::bench {
namespace {

constexpr std::string_view benchmark_prefix = "--benchmark_";

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

ParsedCommand make_command(const CLI::App& command, std::shared_ptr<CommandArguments> from) {
  const bool json = from->json;
  const auto local = [&](auto& arguments, auto* function) {
    arguments.json = json;
    return ParsedCommand{json, [from, &arguments, function] { return function(arguments); }, {}};
  };
  const auto collective = [&](auto& arguments, auto* function, bool observes) {
    arguments.json = json;
    return ParsedCommand{json,
                         {},
                         [from, &arguments, function](const Communicator& comm) {
                           return function(arguments, comm);
                         },
                         observes};
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
  if (name == "torture") {
    return local(from->torture, torture_command);
  }
  if (name == "save") {
    return collective(from->save, save_command, true);
  }
  if (name == "load") {
    return collective(from->load, load_command, false);
  }
  if (name == "probe") {
    return collective(from->probe, probe_command, false);
  }
  from->run.benchmark_flags = command.remaining();
  return collective(from->run, run_command, true);
}

}  // namespace

Result<ParsedCommand> parse_command(const std::vector<std::string>& arguments) {
  const auto found = std::make_shared<CommandArguments>();
  const std::unique_ptr<CLI::App> app = make_grammar(*found);
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
  if (!found->generate.empty()) {
    return ParsedCommand{false, [found] { return generate_command(found->generate); }, {}};
  }
  if (command == nullptr) {
    return refused(
        nullptr,
        "no command, expected one of models, chunks, plan, run, save, load, inspect, probe, torture");
  }
  return make_command(*command, found);
}

}  // namespace shardmark::bench
