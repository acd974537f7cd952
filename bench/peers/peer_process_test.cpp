// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

namespace shardmark::bench {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

PeerProcess shell(const std::string& script) {
  auto made = PeerProcess::start({"sh", "-c", script}, peer_environment());
  EXPECT_TRUE(made);
  return std::move(*made);
}

bool lives(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

TEST(PeerProcess, HearsWhatItIsToldAndEnds) {
  PeerProcess process = shell("read line; echo \"got $line\"; echo second");
  ASSERT_TRUE(process.say("word", 5));
  EXPECT_EQ(*process.hear(60), "got word");
  EXPECT_EQ(*process.hear(60), "second");
  EXPECT_TRUE(process.finish(60));
  EXPECT_FALSE(process.is_running());
}

TEST(PeerProcess, TakesLinesThatFillNoPipe) {
  PeerProcess process = shell("read line; echo ${#line}");
  ASSERT_TRUE(process.say(std::string(3 << 20, 'x'), 300));
  EXPECT_EQ(*process.hear(300), "3145728");
}

TEST(PeerProcess, SaysWhyThereIsNoAnswer) {
  PeerProcess ended = shell("echo the disk is on fire >&2; exit 3");
  const auto none = ended.hear(60);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "it ended before it answered; it said: the disk is on fire");
  PeerProcess late = shell("sleep 60");
  const auto silent = late.hear(0.05);
  ASSERT_FALSE(silent);
  EXPECT_THAT(silent.error().message, StartsWith("it did not answer within 0.05 s (peers.limit)"));
}

TEST(PeerProcess, TellsAnExitCodeAndWhoDoesNotEnd) {
  PeerProcess wrong = shell("exit 4");
  EXPECT_EQ(wrong.finish(60).error().message, "exit code 4");
  PeerProcess killed = shell("kill -9 $$");
  EXPECT_EQ(killed.finish(60).error().message, "signal 9");
  PeerProcess late = shell("sleep 60");
  EXPECT_THAT(late.finish(0.05).error().message, HasSubstr("did not end"));
}

TEST(PeerProcess, CannotStartWhatIsNotThere) {
  const auto none = PeerProcess::start({"/nowhere/fio"}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "/nowhere/fio cannot be started: No such file or directory");
}

TEST(PeerProcess, TakesItsChildrenAlong) {
  pid_t child = 0;
  {
    PeerProcess process = shell("sleep 60 & echo $!; wait");
    child = static_cast<pid_t>(std::stol(*process.hear(60)));
    EXPECT_TRUE(lives(child));
  }
  for (int i = 0; i < 500 && lives(child); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // init has to reap it
  }
  EXPECT_FALSE(lives(child));
}

TEST(PeerEnvironment, HasNothingOfTheLauncher) {
  EXPECT_TRUE(belongs_to_launcher("OMPI_COMM_WORLD_RANK=3"));
  EXPECT_TRUE(belongs_to_launcher("OMPI_MCA_orte_hnp_uri=1"));
  EXPECT_TRUE(belongs_to_launcher("PMIX_RANK=3"));
  EXPECT_FALSE(belongs_to_launcher("OMPI_MCA_rmaps_base_oversubscribe=1"));
  EXPECT_FALSE(belongs_to_launcher("OMPI_ALLOW_RUN_AS_ROOT=1"));
  EXPECT_FALSE(belongs_to_launcher("PATH=/bin"));
  ::setenv("PMIX_RANK", "0", 1);
  EXPECT_THAT(peer_environment(), Not(Contains(StartsWith("PMIX_RANK="))));
  ::unsetenv("PMIX_RANK");
  EXPECT_THAT(peer_environment(), Contains(StartsWith("PATH=")));
}

}  // namespace
}  // namespace shardmark::bench
