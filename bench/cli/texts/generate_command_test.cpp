// SPDX-License-Identifier: Apache-2.0
// What the command says of itself to manual pages and shells.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "bench/cli/driven_command.hpp"
#include "bench/cli/grammar/command_grammar.hpp"
#include "bench/config/config_keys.hpp"

namespace shardmark::bench {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string generated(const std::string& what) {
  const Outcome outcome = shardmark({"--generate", what});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, IsEmpty());
  return outcome.out;
}

/// A file that goes away with this object.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& text)
      : path_(std::filesystem::path(testing::TempDir()) / (std::to_string(getpid()) + "_" + name)) {
    std::ofstream(path_) << text;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

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

TEST(Generate, IsHiddenAndRefusesWhatItDoesNotKnow) {
  EXPECT_THAT(shardmark({"--help"}).out, Not(HasSubstr("generate")));
  const Outcome outcome = shardmark({"--generate", "mann"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("expected one of man, bash, zsh, fish"),
                                 HasSubstr("did you mean 'man'?")));
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

TEST(Generate, WordsForCompletions) {
  EXPECT_THAT(generated("suites"), HasSubstr("quick\nreshard\n"));
  EXPECT_THAT(generated("models"), HasSubstr("\nllama3-8b\n"));
  const std::string settings = generated("settings");
  EXPECT_THAT(settings,
              AllOf(HasSubstr("\nstorage.io=collective\n"),
                    HasSubstr("\nparallel.strategy=fsdp-tp\n"), HasSubstr("\nrun.ranks=\n")));
}

/// What bash would offer for a line whose words readline has broken up; the last one is completed.
std::string bash_offers(const std::string& script, const Words& words) {
  const std::string driver =
      "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); "
      "_shardmark \"$1\" \"${@: -1}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; "
      "printf '%s,' \"${COMPREPLY[@]}\"";
  Words arguments = {"/bin/bash", "--norc", "-c", driver, "bash", script, SHARDMARK_COMMAND};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const Outcome outcome = run_program(arguments);
  EXPECT_THAT(outcome.err, IsEmpty());
  return outcome.out;
}

TEST(Generate, BashCompletes) {
  if (!std::filesystem::exists("/bin/bash")) {
    GTEST_SKIP() << "no /bin/bash";
  }
  const TemporaryFile script("completion.bash", generated("bash"));
  const auto offers = [&](const Words& words) { return bash_offers(script.path(), words); };
  EXPECT_EQ(offers({""}), "models,chunks,plan,run,save,load,inspect,");
  EXPECT_EQ(offers({"pl"}), "plan,");
  EXPECT_EQ(offers({"--ver"}), "--version,");
  EXPECT_EQ(offers({"plan", "qui"}), "quick,");
  EXPECT_EQ(offers({"models", "llama3-7"}), "llama3-70b,");
  EXPECT_EQ(offers({"load", "quick", "--ve"}), "--verify,");
  EXPECT_EQ(offers({"plan", "quick", "--set", "storage.i"}), "storage.io=,");
  EXPECT_EQ(offers({"plan", "quick", "--set", "storage.io", "=", "c"}), "collective,");
  EXPECT_EQ(offers({"plan", "quick", "--set", "storage.io", "="}),
            "auto,collective,independent,direct,");
  EXPECT_EQ(offers({"save", "quick", "--dir", "/us"}), "/usr,");
  EXPECT_EQ(offers({"save", "quick", "--dir", "=", "/us"}), "/usr,");
  EXPECT_EQ(offers({"inspect", "/us"}), "/usr,");
  EXPECT_EQ(offers({"plan", "--world", "8", "qui"}), "quick,");
  EXPECT_EQ(offers({"plan", SHARDMARK_SOURCE_DIR "/configs/suites/qui"}),
            SHARDMARK_SOURCE_DIR "/configs/suites/quick.toml,");
}

}  // namespace
}  // namespace shardmark::bench
