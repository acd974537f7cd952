// SPDX-License-Identifier: Apache-2.0
// A checkpoint being written: how it becomes a step, and what a rename may do.
#include "shardmark/storage/directory/partial_checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using namespace directory_test;
using shardmark::testing::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace shardmark
