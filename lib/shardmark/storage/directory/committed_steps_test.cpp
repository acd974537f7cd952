// SPDX-License-Identifier: Apache-2.0
// Which steps there are, and what is never taken for one.
#include "shardmark/storage/directory/committed_steps.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using namespace directory_test;
using shardmark::testing::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace shardmark
