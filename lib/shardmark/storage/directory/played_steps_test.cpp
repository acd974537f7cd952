// SPDX-License-Identifier: Apache-2.0
// What was played is found by those who played it, and is never a step.
#include "shardmark/storage/directory/played_steps.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/storage/directory/partial_checkpoint.hpp"
#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using namespace directory_test;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

const std::string id(32, 'a');
const PlayedWorld eight_of_512{512, {0, 1, 2, 3, 4, 5, 6, 7}};

PlayedMark mark_of(std::int64_t step, const std::string& save_id = id) {
  return {eight_of_512, PlayedParts::shares, record_of(save_id, step)};
}

void make_played(const fs::path& folder, std::int64_t step, const std::string& save_id = id) {
  write_text(folder / played_name(step) / played_file_name, to_text(mark_of(step, save_id)));
}

TEST(PlayedSteps, NamesAreTheirOwn) {
  EXPECT_EQ(played_name(12), "played-00000012");
  EXPECT_EQ(step_of_played_name("played-00000012"), 12);
  EXPECT_FALSE(step_of_name("played-00000012"));
  EXPECT_FALSE(step_of_played_name("step-00000012"));
  EXPECT_FALSE(step_of_played_name("played-000000012"));
  EXPECT_FALSE(step_of_played_name("played-0000001x"));
  EXPECT_TRUE(is_swept_name(swept_name("played-00000012")));
}

TEST(PlayedSteps, TheNewestOrTheOneAskedForOfTheSamePlay) {
  const TemporaryDirectory directory;
  EXPECT_EQ(find_played(directory.path(), std::nullopt).error().code, ErrorCode::not_found);
  make_played(directory.path(), 3);
  make_played(directory.path(), 7);
  make_step(directory.path(), 9, id);
  const auto newest = find_played(directory.path(), std::nullopt);
  ASSERT_TRUE(newest);
  EXPECT_EQ(*newest, directory.path() + "/played-00000007");
  EXPECT_EQ(*find_played(directory.path(), 3), directory.path() + "/played-00000003");
  EXPECT_EQ(find_played(directory.path(), 9).error().code, ErrorCode::not_found);
  const auto mark = read_played_mark(*newest);
  ASSERT_TRUE(mark) << mark.error().message;
  EXPECT_TRUE(check_same_play(*newest, *mark, eight_of_512));
  for (const PlayedWorld& other :
       {PlayedWorld{512, {0, 1}}, PlayedWorld{256, eight_of_512.ranks}}) {
    const Status refused = check_same_play(*newest, *mark, other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_code(refused.error().code), 2);
    EXPECT_THAT(refused.error().message, HasSubstr("ranks 0-7 of 512"));
    EXPECT_THAT(refused.error().message, HasSubstr(describe(other)));
  }
}

// Nobody can tell whether the newest is whole: the one before is not it.
TEST(PlayedSteps, WhatCannotBeLookedAtIsNotTakenForAbsent) {
  const TemporaryDirectory directory;
  make_played(directory.path(), 3);
  fs::create_symlink(played_name(4), fs::path(directory.path()) / played_name(4));  // a loop
  for (const std::optional<std::int64_t> step : {std::optional<std::int64_t>(), {4}}) {
    const auto found = find_played(directory.path(), step);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::io_error);
    EXPECT_THAT(found.error().message, HasSubstr(played_name(4)));
  }
}

TEST(PlayedSteps, AreNeverTakenForAStep) {
  const TemporaryDirectory directory;
  make_step(directory.path(), 2, id);
  make_played(directory.path(), 7);
  EXPECT_EQ(*find_checkpoint(directory.path(), std::nullopt), directory.path() + "/step-00000002");
  EXPECT_EQ(*committed_steps(directory.path()), std::vector<std::int64_t>{2});
  fs::remove_all(fs::path(directory.path()) / step_name(2));
  const auto refusal_of = [](const std::string& where, std::optional<std::int64_t> step) {
    const auto found = find_checkpoint(where, step);
    EXPECT_FALSE(found);
    EXPECT_EQ(exit_code(found.error().code), 2) << found.error().message;
    return found.error().message;
  };
  EXPECT_THAT(refusal_of(directory.path(), std::nullopt), HasSubstr("was played there"));
  EXPECT_THAT(refusal_of(directory.path() + "/played-00000007", std::nullopt),
              HasSubstr("ranks 0-7 of 512"));
  // Whoever renames it, or calls its mark COMMIT, has no step either.
  fs::rename(fs::path(directory.path()) / played_name(7),
             fs::path(directory.path()) / step_name(7));
  EXPECT_THAT(refusal_of(directory.path(), std::nullopt), HasSubstr("is no checkpoint"));
  EXPECT_THAT(refusal_of(directory.path(), 7), HasSubstr("ranks"));
  const fs::path step = fs::path(directory.path()) / step_name(7);
  fs::rename(step / played_file_name, step / "COMMIT");
  const auto record = read_commit_record(step.string());
  ASSERT_FALSE(record);
  EXPECT_EQ(exit_code(record.error().code), 2);
  EXPECT_THAT(record.error().message, HasSubstr("is no checkpoint"));
}

TEST(PlayedSteps, AFolderOfAnotherNumberIsDamaged) {
  const TemporaryDirectory directory;
  make_played(directory.path(), 3);
  fs::rename(fs::path(directory.path()) / played_name(3),
             fs::path(directory.path()) / played_name(4));
  EXPECT_EQ(read_played_mark(directory.path() + "/played-00000004").error().code,
            ErrorCode::data_loss);
}

TEST(PlayedSteps, ArePutThereWholeAndTakenAwayByTheirSaveAlone) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(check_played_is_new(directory.path(), 5));
  auto partial = PartialCheckpoint::begin(directory.path(), 5, id);
  ASSERT_TRUE(partial);
  const auto path = partial->commit_played(mark_of(5));
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*path, directory.path() + "/played-00000005");
  EXPECT_FALSE(fs::exists(*path + "/owner"));
  EXPECT_EQ(check_played_is_new(directory.path(), 5).error().code, ErrorCode::already_exists);
  EXPECT_TRUE(check_step_is_new(directory.path(), 5)) << "a step of that number may still be saved";
  EXPECT_EQ(remove_played(directory.path(), 5, "b").error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(fs::exists(*path));
  EXPECT_TRUE(remove_played(directory.path(), 5, id.substr(0, 16)));
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(PlayedSteps, OfARunGoWithItsFolderAndOthersKeepIt) {
  const TemporaryDirectory directory;
  const std::string run_id = id.substr(0, 16);
  const fs::path run = fs::path(directory.path()) / run_name(run_id);
  make_played(run, 1);
  EXPECT_EQ(foreign_name_in_run(run.string(), run_id), "");
  make_played(run, 2, std::string(32, 'b'));
  EXPECT_EQ(foreign_name_in_run(run.string(), run_id), played_name(2));
  EXPECT_FALSE(remove_run_folder(run.string(), run_id));
  EXPECT_FALSE(fs::exists(run / played_name(1)));
  EXPECT_TRUE(fs::exists(run / played_name(2)));
}

}  // namespace
}  // namespace shardmark
