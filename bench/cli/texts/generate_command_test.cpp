// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/cli/driven_command.hpp"
#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/cli/texts/generated_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Generate, IsHiddenAndRefusesWhatItDoesNotKnow) {
  EXPECT_THAT(shardmark({"--help"}).out, Not(HasSubstr("generate")));
  const Outcome outcome = shardmark({"--generate", "mann"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("expected one of man, bash, zsh, fish"),
                                 HasSubstr("did you mean 'man'?")));
}

TEST(Generate, EveryShellKnowsEveryCommandAndOption) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    SCOPED_TRACE(shell);
    const std::string text = generated(shell);
    for (const CommandReference& command : program_reference().commands) {
      EXPECT_THAT(text, HasSubstr(command.name));
      for (const OptionReference& option : command.options) {
        const std::string& name = option.names.back();
        if (!option.positional) {
          EXPECT_THAT(text, HasSubstr(shell == "fish" ? " -l " + name.substr(2) : name));
        }
      }
    }
  }
}

}  // namespace
}  // namespace shardmark::bench
