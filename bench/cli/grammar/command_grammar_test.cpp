// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/grammar/command_grammar.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace shardmark::bench {
namespace {

TEST(CommandGrammar, EveryCommandAndOptionIsExplainedOnce) {
  const ProgramReference program = program_reference();
  std::set<std::string> names;
  for (const CommandReference& command : program.commands) {
    EXPECT_TRUE(names.insert(std::string(command.name)).second) << command.name;
    EXPECT_FALSE(command.about.empty()) << command.name;
    std::set<std::string> options;
    for (const OptionReference& option : command.options) {
      EXPECT_FALSE(option.about.empty()) << command.name;
      for (const auto& name : option.names) {
        EXPECT_TRUE(options.insert(std::string(name)).second) << command.name << " " << name;
      }
    }
  }
  for (const char* name :
       {"models", "chunks", "plan", "run", "save", "load", "inspect", "probe", "torture"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

}  // namespace
}  // namespace shardmark::bench
