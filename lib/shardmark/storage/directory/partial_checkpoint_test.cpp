// SPDX-License-Identifier: Apache-2.0
// Directories of checkpoints: what is swept, what is never touched, what a rename may do.
#include "shardmark/storage/directory/partial_checkpoint.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

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

std::string partial_name(int step, const std::string& id) {
  return "." + step_name(step) + ".partial-" + id;
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
  write_text(partial / "owner");
  write_text(partial / "checkpoint.h5");
  {
    LockHolder live(partial / "owner");
    EXPECT_EQ(*sweep_partial_checkpoints(directory.path()), 0);
    EXPECT_TRUE(fs::exists(partial / "checkpoint.h5"));
    live.die();
  }
  EXPECT_EQ(*sweep_partial_checkpoints(directory.path()), 1);
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
  write_text(root / partial_name(6, "ff") / "owner");
  fs::create_directory_symlink(elsewhere.path(), root / partial_name(6, "ff") / "link");
  EXPECT_EQ(*sweep_partial_checkpoints(directory.path()), 2);
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
  write_text(dead / "owner");
  auto partial = PartialCheckpoint::begin(directory.path(), 2, make_save_id());
  ASSERT_TRUE(partial) << partial.error().message;
  EXPECT_FALSE(fs::exists(dead));
  std::ifstream owner(partial->path() + "/owner");
  const std::string text(std::istreambuf_iterator<char>(owner), {});
  for (const char* key : {"host ", "pid ", "job ", "time "}) {
    EXPECT_THAT(text, HasSubstr(key));
  }
  EXPECT_EQ(*sweep_partial_checkpoints(directory.path()), 0);
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
  write_text(directory.path() + "/step-00000001/COMMIT");
  write_text(directory.path() + "/step-00000002/COMMIT");
  EXPECT_TRUE(remove_checkpoint(directory.path(), 1));
  EXPECT_EQ(remove_checkpoint(directory.path(), 1).error().code, ErrorCode::not_found);
  EXPECT_THAT(*committed_steps(directory.path()), ElementsAre(2));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

TEST(CheckpointDirectory, SaveIdsDiffer) {
  const std::string id = make_save_id();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(make_save_id(), id);
}

}  // namespace
}  // namespace shardmark
