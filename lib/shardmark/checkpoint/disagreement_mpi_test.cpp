// SPDX-License-Identifier: Apache-2.0
// Ranks that bring different states to one save: one message for all, and nothing on disk.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::FilledState;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;
using ::testing::HasSubstr;

SaveOptions disagreeing_options(const TemporaryDirectory& directory, std::int64_t step, IoMode io) {
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = step;
  options.storage.io = io;
  return options;
}

TEST(Checkpoint, RanksThatDisagreeEndWithOneMessage) {
  if (world().size() == 1) {
    return;  // nobody to disagree with; the plan tests cover one process
  }
  const TemporaryDirectory directory(world());
  const bool last = world().rank() == world().size() - 1;
  std::vector<std::int32_t> elements(12, 1);
  PlainTensor tensor(contiguous_view(reinterpret_cast<std::byte*>(elements.data()), Dtype::int32,
                                     last ? Dims{3, 4} : Dims{4, 3}));
  StateDict state;
  ASSERT_TRUE(state.add("w", tensor));
  const auto report = save(state, disagreeing_options(directory, 1, IoMode::independent), world());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(report.error().rank, 0);
  EXPECT_THAT(
      report.error().message,
      HasSubstr(fmt::format("rank 0 has a int32 tensor [4, 3], rank {} has a int32 tensor [3, 4]",
                            world().size() - 1)));
  EXPECT_TRUE(committed_steps(directory.path() + "/checkpoints")->empty());
}

TEST(Checkpoint, EveryPlannerNamesWhatLayoutsDisagreeOn) {
  if (world().size() == 1) {
    return;
  }
  const bool last = world().rank() == world().size() - 1;
  const Dims line = {world().size()};
  struct Odd {
    const char* fqn;
    Dims sizes;
    Dtype dtype;
    Placement placement;
    const char* usual_value;
    const char* odd_value;
  };
  const Odd odds[] = {
      {"w", {8, 6}, Dtype::int32, Placement::shard(0), "tensor [8, 4]", "tensor [8, 6]"},
      {"w", {8, 4}, Dtype::float32, Placement::shard(0), "int32 tensor", "float32 tensor"},
      {"w", {8, 4}, Dtype::int32, Placement::shard(1), "S(0)", "S(1)"},
      {"v", {8, 4}, Dtype::int32, Placement::shard(0), "no such tensor", "tensor [8, 4]"}};
  for (const PlannerKind planner :
       {PlannerKind::coordinator, PlannerKind::tree, PlannerKind::layout}) {
    for (const Odd& odd : odds) {
      SCOPED_TRACE(fmt::format("{} {} {}", planner_kind_name(planner), odd.fqn, odd.odd_value));
      const TemporaryDirectory directory(world());
      FilledState saved(world());
      saved.add(last ? odd.fqn : "w", last ? odd.sizes : Dims{8, 4},
                {last ? odd.placement : Placement::shard(0)}, line,
                last ? odd.dtype : Dtype::int32);
      SaveOptions options = disagreeing_options(directory, 1, IoMode::independent);
      options.planner = planner;
      const auto report = save(saved.state, options, world());
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code, ErrorCode::invalid_argument);
      if (planner != PlannerKind::tree) {  // where any rank may be the first to see it
        EXPECT_EQ(report.error().rank, 0);
      }
      EXPECT_THAT(report.error().message,
                  ::testing::AllOf(HasSubstr("ranks disagree on '"), HasSubstr(odd.usual_value),
                                   HasSubstr(odd.odd_value),
                                   HasSubstr(fmt::format("rank {} has", world().size() - 1))));
      EXPECT_TRUE(committed_steps(directory.path() + "/checkpoints")->empty());
    }
  }
}

}  // namespace
}  // namespace shardmark
