// SPDX-License-Identifier: Apache-2.0
// Saves in the background, and back ends without HDF5, on real ranks.
#include "shardmark/checkpoint/async_save.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>

#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/visibility.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::FilledState;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;
using ::testing::HasSubstr;

void add_tensors(FilledState& s, bool transposed = false) {
  const Dims mesh{world().size()};
  const int cut = transposed ? 1 : 0;
  s.add("large", {1031, 509}, {Placement::shard(cut)}, mesh);
  s.add("columns", {257, 1024}, {Placement::shard(1 - cut)}, mesh);
  s.add("replica", {99}, {Placement::replicate()}, mesh);
  s.add("scalar", {}, {Placement::replicate()}, mesh);
  s.add("empty", {0, 4}, {Placement::shard(0)}, mesh);
}

SaveOptions async_options(const TemporaryDirectory& directory, std::int64_t step, Backend backend) {
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = step;
  options.storage.backend = backend;
  options.storage.io = IoMode::direct;
  return options;
}

/// Elements that come back wrong, over all ranks, read at another sharding.
int count_wrong(const SaveOptions& saved, std::int32_t salt) {
  FilledState target(world());
  add_tensors(target, true);
  LoadOptions options;
  options.directory = saved.directory;
  options.step = saved.step;
  options.backend = saved.storage.backend;
  options.io = IoMode::direct;
  options.checksum = ChecksumMode::full;
  const auto loaded = load(target.state, options, world());
  EXPECT_TRUE(loaded) << loaded.error().message;
  return static_cast<int>(world().all_reduce(std::int64_t{target.count_wrong(salt)}, MPI_SUM));
}

class RawBackend : public ::testing::TestWithParam<Backend> {};

TEST_P(RawBackend, SavesWhatLoadsAtAnotherShardingAndInspects) {
  const TemporaryDirectory directory(world());
  FilledState state(world());
  add_tensors(state);
  state.fill(5);
  for (const bool o_direct : {true, false}) {
    SaveOptions options = async_options(directory, o_direct ? 1 : 2, GetParam());
    options.storage.o_direct = o_direct;
    const auto saved = save(state.state, options, world());
    ASSERT_TRUE(saved) << saved.error().message;
    EXPECT_EQ(count_wrong(options, 5), 0);
    if (world().is_root()) {
      const auto summary = inspect_checkpoint(options.directory, options.step);
      ASSERT_TRUE(summary) << summary.error().message;
      EXPECT_EQ(summary->files.size(),
                GetParam() == Backend::posix ? static_cast<std::size_t>(world().size()) + 1 : 1U);
      const auto verified = verify_checkpoint(*summary);
      ASSERT_TRUE(verified) << verified.error().message;
      EXPECT_TRUE(verified->errors.empty());
      EXPECT_TRUE(check_visible(options.directory, options.step, {}));
    }
    world().barrier();
  }
}

INSTANTIATE_TEST_SUITE_P(All, RawBackend,
                         ::testing::Values(Backend::posix, Backend::posix_shared, Backend::mpiio));

class Async : public ::testing::TestWithParam<Backend> {
 protected:
  void open(std::int64_t staging_bytes = 0) {
    auto made = AsyncSaver::make({staging_bytes}, world());
    ASSERT_TRUE(made) << made.error().message;
    saver_ = std::move(*made);
    add_tensors(state_);
    state_.fill(1);
  }
  ~Async() override {
    if (saver_) {
      saver_->close();
    }
  }

  TemporaryDirectory directory_{world()};
  FilledState state_{world()};
  std::unique_ptr<AsyncSaver> saver_;
};

TEST_P(Async, HoldsWhatTheTensorsWereWhenItReturned) {
  open();
  for (std::int64_t step = 1; step <= 3; ++step) {
    const SaveOptions options = async_options(directory_, step, GetParam());
    state_.fill(static_cast<std::int32_t>(step));
    const auto started = saver_->start(state_.state, options);
    ASSERT_TRUE(started) << started.error().message;
    state_.fill(-1000);  // while it is written
    EXPECT_EQ(started->written_bytes, 0);
    const auto finished = saver_->finish();
    ASSERT_TRUE(finished) << finished.error().message;
    ASSERT_TRUE(finished->has_value());
    EXPECT_EQ((*finished)->returned_s, started->returned_s);
    EXPECT_FALSE(saver_->busy());
    EXPECT_EQ(count_wrong(options, static_cast<std::int32_t>(step)), 0);
  }
  EXPECT_FALSE(saver_->finish()->has_value());
}

TEST_P(Async, APoolThatIsTooSmallWritesTheRestAtOnce) {
  std::int64_t quarter = 1031 * 509 + 257 * 1024;  // of four bytes each
  quarter /= world().size();
  open(quarter);
  const SaveOptions options = async_options(directory_, 1, GetParam());
  const auto started = saver_->start(state_.state, options);
  ASSERT_TRUE(started) << started.error().message;
  state_.fill(-1000);
  EXPECT_LE(started->staged_bytes, quarter);
  EXPECT_GT(world().all_reduce(started->written_bytes, MPI_SUM), 0);
  const auto finished = saver_->finish();
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(count_wrong(options, 1), 0);
}

TEST_P(Async, ASecondSaveWaitsForTheFirst) {
  open();
  const SaveOptions first = async_options(directory_, 1, GetParam());
  const SaveOptions second = async_options(directory_, 2, GetParam());
  ASSERT_TRUE(saver_->start(state_.state, first));
  const auto started = saver_->start(state_.state, second);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_GE(started->waited_s, 0);
  EXPECT_GE(started->returned_s, started->waited_s);
  EXPECT_EQ(count_wrong(first, 1), 0);
  ASSERT_TRUE(saver_->finish());
  EXPECT_EQ(count_wrong(second, 1), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Async,
                         ::testing::Values(Backend::hdf5, Backend::posix, Backend::posix_shared));

using AsyncFailure = Async;

TEST_P(AsyncFailure, InTheBackgroundIsTheSameOnAllRanksOnce) {
  open();
  const SaveOptions options = async_options(directory_, 7, GetParam());
  {
    // The save cannot write its manifest, hence not commit, before somebody else has.
    const Hdf5Lock lock;
    const auto started = saver_->start(state_.state, options);
    ASSERT_TRUE(started) << started.error().message;
    if (world().is_root()) {
      std::filesystem::create_directory(options.directory + "/" + step_name(7));
    }
  }
  const auto finished = saver_->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::already_exists) << finished.error().message;
  EXPECT_EQ(finished.error().rank, 0);
  EXPECT_FALSE(saver_->finish()->has_value());
  // Refused before it begins; the saver goes on.
  SaveOptions collective = async_options(directory_, 8, GetParam());
  collective.storage.io = IoMode::collective;
  EXPECT_THAT(saver_->start(state_.state, collective).error().message, HasSubstr("storage.async"));
  const SaveOptions good = async_options(directory_, 8, GetParam());
  ASSERT_TRUE(saver_->start(state_.state, good));
  ASSERT_TRUE(saver_->finish());
  EXPECT_EQ(count_wrong(good, 1), 0);
}

TEST_P(AsyncFailure, OfLayingOutShowsAtTheEndOnAllRanksAndLeavesNothing) {
  open();
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const int last = world().size() - 1;
  if (world().rank() == last) {
    const struct rlimit low { 4096, before.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  }
  const SaveOptions options = async_options(directory_, 9, GetParam());
  const auto started = saver_->start(state_.state, options);
  const auto finished = saver_->finish();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(started) << started.error().message;
  ASSERT_FALSE(finished);
  EXPECT_THAT(finished.error().message, HasSubstr("RLIMIT_FSIZE"));
  EXPECT_EQ(finished.error().rank, last);
  world().barrier();
  EXPECT_TRUE(std::filesystem::is_empty(options.directory));
  ASSERT_TRUE(saver_->start(state_.state, options));
  ASSERT_TRUE(saver_->finish());
  EXPECT_EQ(count_wrong(options, 1), 0);
}

INSTANTIATE_TEST_SUITE_P(Hdf5, AsyncFailure, ::testing::Values(Backend::hdf5));

}  // namespace
}  // namespace shardmark
