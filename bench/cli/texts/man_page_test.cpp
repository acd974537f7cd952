// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <string_view>

#include "bench/cli/driven_command.hpp"
#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/cli/texts/generated_test_fixture.hpp"
#include "bench/config/config_keys.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The page as a reader sees it, blanks and line breaks as one blank.
std::string shown(const std::string& page) {
  const TemporaryFile file("shardmark.1", page);
  const Outcome outcome =
      run_program({"/usr/bin/man", "-l", "--warnings", "--no-hyphenation", file.path()},
                  {"MANWIDTH=200", "LC_ALL=C", "MAN_KEEP_FORMATTING="});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, IsEmpty());
  return std::regex_replace(outcome.out, std::regex("\\s+"), " ");
}

TEST(Generate, ManualPageHasEveryCommandOptionAndKey) {
  const std::string page = generated("man");
  for (const char* section : {"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "CONFIGURATION",
                              "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"}) {
    EXPECT_THAT(page, HasSubstr(std::string("\n.SH ") + section + "\n"));
  }
  if (!std::filesystem::exists("/usr/bin/man")) {
    GTEST_SKIP() << "no /usr/bin/man to show the page with";
  }
  const std::string text = shown(page);
  for (const CommandReference& command : program_reference().commands) {
    EXPECT_THAT(text, HasSubstr(" " + command.name + " " + command.about + ". "));
    for (const OptionReference& option : command.options) {
      const std::string value =
          option.positional || option.value.empty() ? std::string() : " " + option.value;
      EXPECT_THAT(text, HasSubstr(option.names.back() + value + " " + option.about));
    }
  }
  EXPECT_THAT(text, HasSubstr("shardmark chunks --shape \"\" --mesh 4 --placements R"));
  for (const std::string_view key : config_keys()) {
    EXPECT_THAT(text, HasSubstr(" " + std::string(key) + " ("));
  }
  EXPECT_THAT(text, HasSubstr("run.repetitions (integer) Samples of each case. Takes an integer "
                              "from 1 to 100000. Default: 9. "));
  EXPECT_THAT(text, HasSubstr("Takes auto, collective, independent, direct. Default: "
                              "\"auto\", which is \"direct\"."));
}

}  // namespace
}  // namespace shardmark::bench
