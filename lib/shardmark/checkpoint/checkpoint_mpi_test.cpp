// SPDX-License-Identifier: Apache-2.0
// Whole saves and loads on real ranks: every I/O mode, resharding, failures that must be the same
// everywhere.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/checkpoint_directory.hpp"
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

void add_rows(FilledState& s) {
  const Dims mesh{world().size()};
  s.add("rows", {13, 6}, {Placement::shard(0)}, mesh);
  s.add("columns", {5, 11}, {Placement::shard(1)}, mesh);
  s.add("strided", {17, 3}, {Placement::strided_shard(0, 2)}, mesh);
  s.add("replica", {9}, {Placement::replicate()}, mesh);
  s.add("scalar", {}, {Placement::replicate()}, mesh);
  s.add("empty", {0, 4}, {Placement::shard(0)}, mesh);
  s.add("one", {1}, {Placement::shard(0)}, mesh);
}

/// The same names and shapes, every one laid out differently.
void add_transposed(FilledState& s) {
  const Dims mesh{world().size()};
  s.add("rows", {13, 6}, {Placement::shard(1)}, mesh);
  s.add("columns", {5, 11}, {Placement::strided_shard(1, 3)}, mesh);
  s.add("strided", {17, 3}, {Placement::shard(1)}, mesh);
  s.add("replica", {9}, {Placement::shard(0)}, mesh);
  s.add("scalar", {}, {Placement::replicate()}, mesh);
  s.add("empty", {0, 4}, {Placement::shard(1)}, mesh);
  s.add("one", {1}, {Placement::replicate()}, mesh);
}

SaveOptions options_for(const TemporaryDirectory& directory, std::int64_t step, IoMode io) {
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = step;
  options.storage.io = io;
  return options;
}

class CheckpointTest : public ::testing::TestWithParam<IoMode> {};

TEST_P(CheckpointTest, SavesAndLoadsUnderTheSameAndAnotherSharding) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  std::vector<std::byte> object(7, std::byte{static_cast<unsigned char>(3)});
  ASSERT_TRUE(saved.state.add_object("step", std::span<const std::byte>(object)));
  const SaveOptions options = options_for(directory, 3, GetParam());
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->num_bytes, (13 * 6 + 5 * 11 + 17 * 3 + 9 + 1 + 0 + 1) * 4 + 7);
  EXPECT_EQ(report->no_collective_cause, 0U);
  EXPECT_NEAR(report->phases.total_s(), report->returned_s, 1e-9);
  const std::int64_t written = world().all_reduce(report->bytes_written, MPI_SUM);
  EXPECT_EQ(written, report->num_bytes + report->inventory.checksum_bytes);

  FilledState loaded(world());
  add_transposed(loaded);
  std::vector<std::byte> loaded_object(7);
  ASSERT_TRUE(loaded.state.add_object("step", std::span(loaded_object)));
  const auto got =
      load(loaded.state, {options.directory, {}, ChecksumMode::full, GetParam()}, world());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(loaded.count_wrong(), 0);
  EXPECT_EQ(loaded_object, object);
  EXPECT_EQ(got->unverified_chunks, 0);
  EXPECT_GT(got->verified_chunks, 0);
}

TEST_P(CheckpointTest, RefusesAStepThatExists) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  const SaveOptions options = options_for(directory, 7, GetParam());
  ASSERT_TRUE(save(saved.state, options, world()));
  const auto again = save(saved.state, options, world());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  EXPECT_EQ(again.error().rank, 0);
}

TEST_P(CheckpointTest, FindsAFlippedBitAndNamesItsChunk) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  const SaveOptions options = options_for(directory, 0, GetParam());
  ASSERT_TRUE(save(saved.state, options, world()));
  const auto checkpoint = inspect_checkpoint(options.directory, {});
  ASSERT_TRUE(checkpoint);
  if (world().is_root()) {
    const std::size_t columns = *checkpoint->manifest.entries.find("columns");
    std::fstream file(checkpoint->directory + "/checkpoint.h5",
                      std::ios::in | std::ios::out | std::ios::binary);
    const std::int64_t at = checkpoint->manifest.locations[columns].address + 4 * 10;  // [0, 10]
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 4));
  }
  world().barrier();
  const auto errors = verify_checkpoint(*checkpoint);
  ASSERT_TRUE(errors);
  ASSERT_EQ(errors->size(), 1U);
  EXPECT_EQ(errors->front().fqn, "columns");
  for (const bool same_layout : {true, false}) {
    FilledState loaded(world());
    same_layout ? add_rows(loaded) : add_transposed(loaded);
    const auto got =
        load(loaded.state, {options.directory, {}, ChecksumMode::full, GetParam()}, world());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::data_loss);
    EXPECT_THAT(got.error().message, HasSubstr("'columns'"));
  }
}

TEST_P(CheckpointTest, LoadRefusesWhatDoesNotFit) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  const SaveOptions options = options_for(directory, 0, GetParam());
  ASSERT_TRUE(save(saved.state, options, world()));
  const Dims mesh{world().size()};
  const auto code_of = [&](const std::string& fqn, const Dims& sizes, Dtype dtype) {
    FilledState wanted(world());
    wanted.add(fqn, sizes, {Placement::shard(0)}, mesh, dtype);
    const auto got =
        load(wanted.state, {options.directory, {}, ChecksumMode::read, GetParam()}, world());
    EXPECT_FALSE(got);
    EXPECT_THAT(got.error().message, HasSubstr(fqn));
    return got.error().code;
  };
  EXPECT_EQ(code_of("absent", {3}, Dtype::int32), ErrorCode::not_found);
  EXPECT_EQ(code_of("rows", {13, 5}, Dtype::int32), ErrorCode::mismatch);
  EXPECT_EQ(code_of("rows", {13, 6}, Dtype::float32), ErrorCode::mismatch);
}

INSTANTIATE_TEST_SUITE_P(Modes, CheckpointTest,
                         ::testing::Values(IoMode::collective, IoMode::independent),
                         [](const auto& mode) { return std::string(io_mode_name(mode.param)); });

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
  const auto report = save(state, options_for(directory, 1, IoMode::independent), world());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(report.error().rank, 0);
  EXPECT_THAT(
      report.error().message,
      HasSubstr(fmt::format("rank 0 has a int32 tensor [4, 3], rank {} has a int32 tensor [3, 4]",
                            world().size() - 1)));
  EXPECT_TRUE(committed_steps(directory.path() + "/checkpoints")->empty());
}

TEST(Checkpoint, NullBackEndStoresNothing) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  SaveOptions options = options_for(directory, 1, IoMode::independent);
  options.storage.backend = Backend::null;
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(std::filesystem::exists(options.directory));
  EXPECT_GT(report->num_bytes, 0);
}

}  // namespace
}  // namespace shardmark
