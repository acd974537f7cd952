// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/cli/texts/generated_test_fixture.hpp"

namespace shardmark::bench {
namespace {

TEST(ZshCompletion, IsOfTheCommandAndDescribesEachOfItsOwn) {
  const std::string script = generated("zsh");
  EXPECT_TRUE(script.starts_with("#compdef shardmark\n"));
  for (const CommandReference& command : program_reference().commands) {
    EXPECT_THAT(script, ::testing::HasSubstr("'" + std::string(command.name) + ":"))
        << command.name;
  }
}

}  // namespace
}  // namespace shardmark::bench
