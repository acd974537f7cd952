// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/cli/texts/generated_test_fixture.hpp"

namespace shardmark::bench {
namespace {

TEST(FishCompletion, OffersEveryCommandAndClosesEveryQuote) {
  const std::string script = generated("fish");
  for (const CommandReference& command : program_reference().commands) {
    EXPECT_THAT(script, ::testing::HasSubstr("-a " + std::string(command.name))) << command.name;
  }
  std::size_t begin = 0;
  for (std::size_t end = script.find('\n'); end != std::string::npos;
       end = script.find('\n', begin)) {
    const std::string line = script.substr(begin, end - begin);
    if (line.starts_with("complete ")) {
      EXPECT_EQ(std::ranges::count(line, '\'') % 2, line.find("\\'") == std::string::npos ? 0 : 1)
          << line;
    }
    begin = end + 1;
  }
}

}  // namespace
}  // namespace shardmark::bench
