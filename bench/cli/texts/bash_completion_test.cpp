// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "bench/cli/driven_command.hpp"
#include "bench/cli/texts/generated_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::IsEmpty;

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
  EXPECT_EQ(offers({""}), "models,chunks,plan,run,save,load,inspect,probe,torture,");
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
