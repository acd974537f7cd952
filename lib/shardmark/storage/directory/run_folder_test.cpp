// SPDX-License-Identifier: Apache-2.0
// The folder of a benchmark run: its own, and nobody else's.
#include "shardmark/storage/directory/run_folder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/storage/directory/partial_checkpoint.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using namespace directory_test;
using shardmark::testing::TemporaryDirectory;
using ::testing::ElementsAre;

TEST(RunFolder, HoldsWhatIsTheRunsAndKeepsWhatIsNot) {
  const TemporaryDirectory directory;
  const std::string run_id = "0123456789abcdef";
  const std::string path = directory.path() + "/run-" + run_id;
  {
    auto run = RunFolder::make(directory.path(), run_id);
    ASSERT_TRUE(run) << run.error().message;
    EXPECT_EQ(run->path(), path);
    make_step(path, 1, make_save_id(run_id));
    write_text(fs::path(path) / partial_name(2, make_save_id(run_id)) / "data");
    EXPECT_TRUE(committed_steps(directory.path())->empty());
    EXPECT_EQ(num_swept(directory.path()), 0);
    EXPECT_TRUE(run->close(false));
    EXPECT_TRUE(fs::is_empty(directory.path()));
  }
  auto run = RunFolder::make(directory.path(), run_id);
  ASSERT_TRUE(run);
  make_step(path, 1, make_save_id(run_id));
  make_step(path, 2, make_save_id("fe"));  // somebody else's
  EXPECT_FALSE(run->close(false));
  EXPECT_THAT(*committed_steps(path), ElementsAre(2));
  EXPECT_FALSE(fs::exists(path + "/owner"));
}

/// What a signal does, in a process of its own: nobody commits in it any more.
TEST(RunFolder, OfAProcessThatLeavesGoesAtOnceAndTakesNothingOfOthers) {
  const TemporaryDirectory directory;
  const std::string run_id = "00000000000000dd";
  make_step(directory.path(), 4, make_save_id());
  const pid_t child = ::fork();
  if (child == 0) {
    auto run = RunFolder::make(directory.path(), run_id);
    make_step(run->path(), 1, make_save_id(run_id));
    auto partial = PartialCheckpoint::begin(run->path(), 2, make_save_id(run_id));
    hide_unfinished();
    const bool hidden = !fs::exists(run->path());
    remove_unfinished();
    ::_exit(hidden ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(*committed_steps(directory.path()), ElementsAre(4));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

TEST(RunFolder, OfADeadRunIsSweptAKeptOneIsNot) {
  const TemporaryDirectory directory;
  const std::string dead_id = "00000000000000aa";
  const fs::path dead = directory.path() + "/run-" + dead_id;
  make_step(dead, 1, make_save_id(dead_id));
  write_text(dead / "owner", text_of_dead_owner());
  const std::string mixed_id = "00000000000000bb";
  const fs::path mixed = directory.path() + "/run-" + mixed_id;
  make_step(mixed, 1, make_save_id(mixed_id));
  make_step(mixed, 2, make_save_id("cc"));
  write_text(mixed / "owner", text_of_dead_owner());
  const fs::path kept = directory.path() + "/run-00000000000000cc";
  make_step(kept, 1, make_save_id());
  set_age(kept, 10000);
  // Another engine made its folder again when the run was gone already.
  const fs::path scratch = directory.path() + "/run-00000000000000dd";
  write_text(scratch / ".shardmark-peer-1/files/rank-0");
  const auto report = sweep_leftovers(directory.path());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->swept, 2);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_FALSE(fs::exists(scratch));
  EXPECT_THAT(*committed_steps(mixed), ElementsAre(2));
  EXPECT_THAT(*committed_steps(kept), ElementsAre(1));
}

/// The state in which a run that keeps its steps lets go: its owner is gone by name and still
/// locked.
TEST(RunFolder, NobodySweepsARunThatIsBeingKept) {
  const TemporaryDirectory directory;
  auto run = RunFolder::make(directory.path(), "00000000000000ee");
  ASSERT_TRUE(run);
  make_step(run->path(), 1, make_save_id("00000000000000ee"));
  const std::string path = run->path();
  // Whoever gets the lock of what was opened before finds the name gone.
  const int owner = ::open((path + "/owner").c_str(), O_RDWR);
  ASSERT_GE(owner, 0);
  std::thread waiter([&] {
    EXPECT_EQ(::flock(owner, LOCK_EX), 0);
    EXPECT_FALSE(fs::exists(path + "/owner"));
  });
  EXPECT_TRUE(run->close(true));
  waiter.join();
  ::close(owner);
  EXPECT_EQ(num_swept(directory.path()), 0);
  EXPECT_THAT(*committed_steps(path), ElementsAre(1));
}

}  // namespace
}  // namespace shardmark
