// SPDX-License-Identifier: Apache-2.0
// Directories of checkpoints: what is swept, what is never touched, what a rename may do.
#include "shardmark/storage/directory/partial_checkpoint.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/run_folder.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/folder.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

namespace fs = std::filesystem;
using shardmark::testing::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

void write_text(const fs::path& path, std::string_view text = "x") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int num_swept(const std::string& directory, const SweepRules& rules = {}) {
  const auto report = sweep_leftovers(directory, rules);
  EXPECT_TRUE(report) << report.error().message;
  return report ? report->swept : -1;
}

/// What somebody wrote who is dead, of this kernel and process namespace.
std::string text_of_dead_owner() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  OwnerRecord record = own_record();
  record.pid = child;
  ::waitpid(child, nullptr, 0);
  return to_text(record);
}

/// What somebody wrote on another host.
std::string text_of_other_host() {
  OwnerRecord record = own_record();
  record.host = "elsewhere";
  record.boot = "00000000-0000-0000-0000-000000000000";
  return to_text(record);
}

void set_age(const fs::path& path, double seconds) {
  const auto before = std::chrono::duration<double>(seconds);
  fs::last_write_time(path, fs::file_time_type::clock::now() -
                                std::chrono::duration_cast<fs::file_time_type::duration>(before));
}

CommitRecord record_of(const std::string& save_id, std::int64_t step) {
  return {save_id, step, {{entry_file_name, 0}}, 0, 0, 1};
}

void make_step(const fs::path& folder, std::int64_t step, const std::string& save_id) {
  write_text(folder / step_name(step) / "COMMIT", to_text(record_of(save_id, step)));
}

TEST(CheckpointDirectory, StepsAreThoseWithCommitAscending) {
  const TemporaryDirectory directory;
  const fs::path root = directory.path();
  EXPECT_THAT(*committed_steps(root), ElementsAre());
  EXPECT_THAT(find_checkpoint(root, {}).error().message, HasSubstr("no committed checkpoint"));
  for (const char* name : {"step-00000012", "step-00000003", "step-99999999", "step-1",
                           "step-000000012", "step--0000001", "step-+0000001", "step-0000000x",
                           "xstep-00000004", ".step-00000005.partial-ab"}) {
    write_text(root / name / "COMMIT");
  }
  fs::create_directory(root / "step-00000007");  // never committed
  write_text(root / "step-00000008");            // no directory
  EXPECT_THAT(*committed_steps(root), ElementsAre(3, 12, 99'999'999));
  EXPECT_EQ(*find_checkpoint(root, {}), directory.path() + "/step-99999999");
  EXPECT_EQ(*find_checkpoint(root, 3), directory.path() + "/step-00000003");
  const auto missing = find_checkpoint(root, 7);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("step 7"));
  EXPECT_EQ(committed_steps(root / "absent").error().code, ErrorCode::not_found);
  EXPECT_EQ(committed_steps(root / "step-00000008").error().code, ErrorCode::not_found);
}

TEST(CheckpointDirectory, AStepMustBeNewAndInRange) {
  const TemporaryDirectory directory;
  EXPECT_EQ(check_step_is_new(directory.path(), -1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(check_step_is_new(directory.path(), max_step + 1).error().code,
            ErrorCode::invalid_argument);
  EXPECT_TRUE(check_step_is_new(directory.path(), max_step));
  fs::create_directory(directory.path() + "/step-00000004");
  EXPECT_EQ(check_step_is_new(directory.path(), 4).error().code, ErrorCode::already_exists);
}

TEST(CheckpointDirectory, OnlyTheLastComponentIsMade) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(make_checkpoint_root(directory.path() + "/new"));
  EXPECT_TRUE(make_checkpoint_root(directory.path() + "/new"));
  const Status deep = make_checkpoint_root(directory.path() + "/absent/new");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(fs::exists(directory.path() + "/absent"));
  write_text(directory.path() + "/file");
  EXPECT_EQ(make_checkpoint_root(directory.path() + "/file").error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(make_checkpoint_root(directory.path() + "/file/new").error().code,
            ErrorCode::invalid_argument);
}

/// Another process that holds the lock on `path` until it is killed.
class LockHolder {
 public:
  explicit LockHolder(const std::string& path) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    child_ = ::fork();
    if (child_ == 0) {
      const int fd = ::open(path.c_str(), O_RDWR);
      const char held = ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 1 : 0;
      static_cast<void>(!::write(ready[1], &held, 1));
      ::pause();
      ::_exit(0);
    }
    char held = 0;
    EXPECT_EQ(::read(ready[0], &held, 1), 1);
    EXPECT_EQ(held, 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockHolder() { die(); }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;

  void die() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
      child_ = 0;
    }
  }

 private:
  pid_t child_ = 0;
};

TEST(CheckpointDirectory, ALiveSaveIsNotSweptADeadOneIs) {
  const TemporaryDirectory directory;
  const fs::path partial = fs::path(directory.path()) / partial_name(5, "ab12");
  write_text(partial / "owner", text_of_dead_owner());
  write_text(partial / "checkpoint.h5");
  {
    LockHolder live(partial / "owner");
    EXPECT_EQ(num_swept(directory.path()), 0);
    EXPECT_TRUE(fs::exists(partial / "checkpoint.h5"));
    live.die();
  }
  EXPECT_EQ(num_swept(directory.path()), 1);
  EXPECT_FALSE(fs::exists(partial));
}

TEST(CheckpointDirectory, SymlinksAndForeignNamesAreNeverTouched) {
  const TemporaryDirectory directory;
  const fs::path root = directory.path();
  const TemporaryDirectory elsewhere;
  write_text(fs::path(elsewhere.path()) / "owner");
  write_text(fs::path(elsewhere.path()) / "precious");
  fs::create_directory_symlink(elsewhere.path(), root / partial_name(1, "aa"));
  const auto foreign = std::to_array<std::string>(
      {".step-00000001.partial-", ".step-00000001.partial-XY", ".step-00000001.partial-ab.bak",
       ".step-1.partial-ab", ".step--0000001.partial-ab", "step-00000001.partial-ab",
       ".step-00000001-partial-ab", ".other-0000001.partial-ab", "step-00000002"});
  for (const std::string& name : foreign) {
    write_text(root / name / "owner");
  }
  write_text(root / partial_name(2, "bb"));                    // a file, no directory
  write_text(root / partial_name(3, "cc") / "checkpoint.h5");  // nobody's: no owner
  fs::create_directory(root / partial_name(4, "dd"));          // died before its owner was made
  write_text(root / partial_name(5, "ee") / "data");
  fs::create_symlink(fs::path(elsewhere.path()) / "owner", root / partial_name(5, "ee") / "owner");
  write_text(root / partial_name(6, "ff") / "owner", text_of_dead_owner());
  fs::create_directory_symlink(elsewhere.path(), root / partial_name(6, "ff") / "link");
  EXPECT_EQ(num_swept(directory.path()), 2);
  EXPECT_FALSE(fs::exists(root / partial_name(4, "dd")));
  EXPECT_FALSE(fs::exists(root / partial_name(6, "ff")));
  for (const std::string& name : foreign) {
    EXPECT_TRUE(fs::exists(root / name / "owner")) << name;
  }
  EXPECT_TRUE(fs::is_symlink(root / partial_name(1, "aa")));
  EXPECT_TRUE(fs::exists(root / partial_name(2, "bb")));
  EXPECT_TRUE(fs::exists(root / partial_name(3, "cc") / "checkpoint.h5"));
  EXPECT_TRUE(fs::exists(root / partial_name(5, "ee") / "data"));
  EXPECT_TRUE(fs::exists(fs::path(elsewhere.path()) / "precious"));
  EXPECT_TRUE(fs::exists(fs::path(elsewhere.path()) / "owner"));
}

TEST(PartialCheckpoint, SweepsOthersAndHoldsItsOwnLock) {
  const TemporaryDirectory directory;
  const fs::path dead = fs::path(directory.path()) / partial_name(1, "ab");
  write_text(dead / "owner", text_of_dead_owner());
  auto partial = PartialCheckpoint::begin(directory.path(), 2, make_save_id());
  ASSERT_TRUE(partial) << partial.error().message;
  EXPECT_FALSE(fs::exists(dead));
  const std::string text = text_of(partial->path() + "/owner");
  for (const char* key : {"host ", "pid ", "job ", "boot ", "started ", "time "}) {
    EXPECT_THAT(text, HasSubstr(key));
  }
  EXPECT_EQ(num_swept(directory.path()), 0);
  EXPECT_TRUE(fs::exists(partial->path()));
  partial->abandon();
  EXPECT_FALSE(fs::exists(partial->path()));
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(PartialCheckpoint, CommitMakesTheStepVisibleAndReplacesNothing) {
  const TemporaryDirectory directory;
  auto first = PartialCheckpoint::begin(directory.path(), 2, make_save_id());
  auto second = PartialCheckpoint::begin(directory.path(), 2, make_save_id());
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(committed_steps(directory.path())->empty());
  const CommitRecord record{"id", 2, {{entry_file_name, 0}}, 0, 0, 1};
  EXPECT_EQ(*first->commit(record), directory.path() + "/step-00000002");
  EXPECT_THAT(*committed_steps(directory.path()), ElementsAre(2));
  std::ifstream file(directory.path() + "/step-00000002/COMMIT");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), to_text(record));
  EXPECT_FALSE(fs::exists(directory.path() + "/step-00000002/owner"));
  CommitRecord other = record;
  other.save_id = "other";
  const auto again = second->commit(other);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  std::ifstream kept(directory.path() + "/step-00000002/COMMIT");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), to_text(record));
}

TEST(PartialCheckpoint, AnEmptyDirectoryInTheWayIsNotReplacedEither) {
  const TemporaryDirectory directory;
  auto partial = PartialCheckpoint::begin(directory.path(), 3, make_save_id());
  ASSERT_TRUE(partial);
  fs::create_directory(directory.path() + "/step-00000003");
  EXPECT_EQ(partial->commit({"id", 3, {{entry_file_name, 0}}, 0, 0, 1}).error().code,
            ErrorCode::already_exists);
  EXPECT_TRUE(fs::is_empty(directory.path() + "/step-00000003"));
}

TEST(CheckpointDirectory, RemovesAStepWholeAndNoOther) {
  const TemporaryDirectory directory;
  make_step(directory.path(), 1, "aa11");
  make_step(directory.path(), 2, "aa22");
  EXPECT_EQ(remove_checkpoint(directory.path(), 1, "bb").error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(*committed_steps(directory.path()), ElementsAre(1, 2));
  EXPECT_TRUE(remove_checkpoint(directory.path(), 1, "aa"));
  EXPECT_EQ(remove_checkpoint(directory.path(), 1, "aa").error().code, ErrorCode::not_found);
  EXPECT_THAT(*committed_steps(directory.path()), ElementsAre(2));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

TEST(CheckpointDirectory, AStepUnderAnotherNumberIsRefused) {
  const TemporaryDirectory directory;
  make_step(directory.path(), 1, "aa");
  fs::rename(directory.path() + "/step-00000001", directory.path() + "/step-00000009");
  const auto found = read_commit_record(*find_checkpoint(directory.path(), {}));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::data_loss);
  EXPECT_THAT(found.error().message, HasSubstr("step 9"));
  EXPECT_THAT(found.error().message, HasSubstr("step 1"));
}

/// Whoever opens a FIFO for reading waits for one who writes, unless he looks first.
TEST(CheckpointDirectory, WhatIsNoRegularFileIsRefusedAtOnce) {
  const TemporaryDirectory directory;
  const std::string step = directory.path() + "/step-00000001";
  fs::create_directory(step);
  const std::string commit = step + "/COMMIT";
  const auto refusal = [&] {
    const auto found = find_checkpoint(directory.path(), {});
    EXPECT_TRUE(found);
    const auto record = read_commit_record(step);
    EXPECT_FALSE(record);
    return record.error().message;
  };
  ASSERT_EQ(::mkfifo(commit.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("a FIFO"));
  fs::remove(commit);
  fs::create_directory(commit);
  EXPECT_THAT(refusal(), HasSubstr("a folder"));
  fs::remove(commit);
  fs::create_symlink("/dev/null", commit);
  EXPECT_THAT(refusal(), HasSubstr("a link"));
  fs::remove(commit);
  fs::create_symlink("absent", commit);  // a name is there: not "the step before"
  EXPECT_THAT(refusal(), HasSubstr("a link"));
}

TEST(Sweep, TheDeadOfThisHostAtOnceThoseOfOthersByTheirSilence) {
  const TemporaryDirectory directory;
  const fs::path root = directory.path();
  const fs::path other = root / partial_name(1, "aa");
  write_text(other / "owner", text_of_other_host());
  write_text(other / "rank-00000.h5", std::string(1000, 'x'));
  const fs::path living = root / partial_name(2, "bb");
  write_text(living / "owner", to_text(own_record()));           // no lock, as where there are none
  EXPECT_TRUE(sweep_leftovers(directory.path())->left.empty());  // it may well live
  set_age(other / "owner", 100);
  const auto report = sweep_leftovers(directory.path());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->swept, 0);
  ASSERT_EQ(report->left.size(), 1U);
  EXPECT_GE(report->left.front().num_bytes, 1000);
  EXPECT_THAT(describe_left(*report, directory.path()), HasSubstr("host elsewhere"));
  set_age(other / "owner", 599);
  EXPECT_EQ(num_swept(directory.path()), 0);
  set_age(other / "owner", 700);
  set_age(living / "owner", 700);
  EXPECT_EQ(num_swept(directory.path()), 1);
  EXPECT_FALSE(fs::exists(other));
  EXPECT_TRUE(fs::exists(living));
  EXPECT_EQ(std::distance(fs::directory_iterator(root), {}), 1);
}

TEST(Sweep, WithoutAnOwnerWhatIsOldAndWhatIsUsedUp) {
  const TemporaryDirectory directory;
  const fs::path root = directory.path();
  const fs::path full = root / partial_name(7, "00");
  write_text(full / "rank-00000.h5");
  fs::create_directory(root / partial_name(8, "00"));
  write_text(root / swept_name(step_name(9)) / ".nfs000123");
  const auto report = sweep_leftovers(directory.path());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->swept, 2);
  EXPECT_EQ(report->left.size(), 1U);
  set_age(full, 700);
  EXPECT_EQ(num_swept(directory.path()), 1);
  EXPECT_TRUE(fs::is_empty(root));
}

TEST(Sweep, AJobThatWasTakenForDeadFailsCleanly) {
  const TemporaryDirectory directory;
  auto partial = PartialCheckpoint::begin(directory.path(), 2, make_save_id());
  ASSERT_TRUE(partial);
  fs::rename(partial->path(), directory.path() + "/" + swept_name(step_name(2)));
  const auto committed = partial->commit(record_of("id", 2));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::io_error);
  EXPECT_THAT(committed.error().message, HasSubstr("took this one for dead"));
  EXPECT_TRUE(committed_steps(directory.path())->empty());
}

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
  const auto report = sweep_leftovers(directory.path());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->swept, 1);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_THAT(*committed_steps(mixed), ElementsAre(2));
  EXPECT_THAT(*committed_steps(kept), ElementsAre(1));
}

TEST(CheckpointDirectory, SaveIdsDiffer) {
  const std::string id = make_save_id();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(make_save_id(), id);
}

}  // namespace
}  // namespace shardmark
