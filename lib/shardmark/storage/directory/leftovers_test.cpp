// SPDX-License-Identifier: Apache-2.0
// What is swept and what is never touched.
#include "shardmark/storage/directory/leftovers.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <functional>
#include <utility>

#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/ownership.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace {

std::function<void()> before_lock;
std::function<void()> before_removal;

}  // namespace

/// What others do just before a sweeper asks for a lock.
extern "C" int flock(int descriptor, int operation) noexcept {
  if (before_lock) {
    std::exchange(before_lock, nullptr)();
  }
  return static_cast<int>(::syscall(SYS_flock, descriptor, operation));
}

/// And before it removes a file or a folder.
extern "C" int unlink(const char* path) noexcept {
  if (before_removal) {
    std::exchange(before_removal, nullptr)();
  }
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

extern "C" int rmdir(const char* path) noexcept {
  if (before_removal) {
    std::exchange(before_removal, nullptr)();
  }
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

namespace shardmark {
namespace {

using namespace directory_test;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

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

TEST(Sweep, LeavesARunThatWasKeptWhileItLooked) {
  const TemporaryDirectory directory;
  const fs::path run = fs::path(directory.path()) / "run-00000000000000ab";
  make_step(run, 1, make_save_id("00000000000000ab"));
  OwnerRecord neighbour = own_record();  // in another container of this kernel
  neighbour.pid_space = "another";
  write_text(run / "owner", to_text(neighbour));
  before_lock = [&] { fs::remove(run / "owner"); };
  EXPECT_EQ(num_swept(directory.path()), 0);
  EXPECT_FALSE(before_lock);
  EXPECT_TRUE(fs::exists(run / "step-00000001" / "COMMIT"));
}

TEST(Sweep, LeavesAFolderWhoseOwnerCameWhileItLooked) {
  const TemporaryDirectory directory;
  const fs::path partial = fs::path(directory.path()) / partial_name(1, "aa");
  fs::create_directory(partial);
  before_removal = [&] { write_text(partial / "owner", to_text(own_record())); };
  EXPECT_EQ(num_swept(directory.path()), 0);
  EXPECT_FALSE(before_removal);
  EXPECT_TRUE(fs::exists(partial / "owner"));
}

TEST(Sweep, WhoWaitedForItsLockDoesNotOwnWhatItTook) {
  const TemporaryDirectory directory;
  const fs::path partial = fs::path(directory.path()) / partial_name(1, "aa");
  write_text(partial / "owner", text_of_dead_owner());
  before_lock = [&] { EXPECT_EQ(num_swept(directory.path()), 1); };
  const auto owner = Ownership::take(partial.string());
  ASSERT_FALSE(owner);
  EXPECT_EQ(owner.error().code, ErrorCode::not_found);
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

}  // namespace
}  // namespace shardmark
