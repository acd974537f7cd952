// SPDX-License-Identifier: Apache-2.0
// Steps and seeds of a run are its own; what is kept is the newest, and nobody else's is touched.
#include "bench/harness/measure/checkpoint_steps.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

/// As a save would leave it, on rank 0.
void commit(const CheckpointSteps::Checkpoint& checkpoint) {
  if (world().is_root()) {
    const std::string path = checkpoint.directory + "/" + step_name(checkpoint.step);
    std::filesystem::create_directory(path);
    const CommitRecord record{.save_id = make_save_id(checkpoint.save_id_prefix),
                              .step = checkpoint.step,
                              .files = {{entry_file_name, 0}}};
    std::ofstream(path + "/COMMIT") << to_text(record);
  }
  world().barrier();
}

bool is_there(const CheckpointSteps::Checkpoint& checkpoint) {
  return std::filesystem::exists(checkpoint.directory + "/" + step_name(checkpoint.step));
}

TEST(CheckpointSteps, TheNewestAndThePinnedStay) {
  const testing::TemporaryDirectory directory(world());
  const std::array directories = {directory.path() + "/a"};
  auto steps = CheckpointSteps::make(directories, 1, 100, world());
  ASSERT_TRUE(steps) << steps.error().message;
  std::vector<CheckpointSteps::Checkpoint> made;
  for (int i = 0; i < 4; ++i) {
    const auto next = steps->next(directories[0], false, world());
    ASSERT_TRUE(next) << next.error().message;
    EXPECT_EQ(next->seed, 100 + static_cast<std::uint64_t>(next->step));
    for (const auto& other : made) {
      EXPECT_NE(next->step, other.step);
    }
    commit(*next);
    steps->committed(*next, i == 0);
    made.push_back(*next);
  }
  ASSERT_TRUE(steps->remove_old(world()));
  world().barrier();
  EXPECT_TRUE(is_there(made[0])) << "pinned";
  EXPECT_FALSE(is_there(made[1]));
  EXPECT_FALSE(is_there(made[2]));
  EXPECT_TRUE(is_there(made[3]));
  world().barrier();  // all have looked
  steps->release(made[0]);
  ASSERT_TRUE(steps->remove_old(world()));
  world().barrier();
  EXPECT_FALSE(is_there(made[0]));
  EXPECT_TRUE(is_there(made[3]));
  world().barrier();
  steps->close();
  world().barrier();
  EXPECT_TRUE(is_there(made[3])) << "keep = 1";
}

TEST(CheckpointSteps, ANumberThatSomebodyTookIsPassedOver) {
  const testing::TemporaryDirectory directory(world());
  const std::array directories = {directory.path() + "/a"};
  auto steps = CheckpointSteps::make(directories, 0, 0, world());
  ASSERT_TRUE(steps) << steps.error().message;
  const auto first = steps->next(directories[0], false, world());
  ASSERT_TRUE(first);
  if (world().is_root()) {
    std::filesystem::create_directory(first->directory + "/" + step_name(first->step + 1));
  }
  world().barrier();
  EXPECT_EQ(steps->next(directories[0], false, world())->step, first->step + 2);
  world().barrier();
  if (world().is_root()) {
    std::filesystem::remove(first->directory + "/" + step_name(first->step + 1));
  }
  steps->close();
}

}  // namespace
}  // namespace shardmark::bench
