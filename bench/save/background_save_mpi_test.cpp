// SPDX-License-Identifier: Apache-2.0
// A save in the background is a whole save, and says what its caller waited for.
#include "bench/save/background_save.hpp"

#include <gtest/gtest.h>

#include <string>

#include "bench/config/lib_options.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

TEST(BackgroundSave, LoadsBackAndTellsOfStepsWhereTheyWereAskedFor) {
  for (const bool interferes : {false, true}) {
    const testing::TemporaryDirectory directory(world());
    Config config;
    config.storage.async = true;
    config.run.interference = interferes;
    testing::FilledState state(world());
    state.add("rows", {64, 32}, {Placement::shard(0)}, {world().size()});
    state.fill();
    auto background = BackgroundSave::make(config, world());
    if (!background && background.error().code == ErrorCode::unsupported) {
      GTEST_SKIP() << background.error().message;
    }
    ASSERT_TRUE(background) << background.error().message;
    (*background)->step_alone();
    const auto report =
        (*background)->save(state.state, save_options(config, directory.path() + "/c", 1, 0));
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->num_bytes, 64 * 32 * 4);
    Measurement measurement;
    (*background)->describe(measurement);
    (*background)->close();
    EXPECT_EQ(measurement.metrics["pool_bytes_staged"] +
                  measurement.metrics["bytes_written_before_return"],
              64 * 32 * 4);
    EXPECT_EQ(measurement.metrics.count("step_alone_s"), interferes ? 1U : 0U);
    EXPECT_EQ(measurement.metrics["steps_during_save"] >= 1, interferes);

    testing::FilledState loaded(world());
    loaded.add("rows", {64, 32}, {Placement::shard(1)}, {world().size()});
    ASSERT_TRUE(load(loaded.state, load_options(config, directory.path() + "/c", 1), world()));
    EXPECT_EQ(loaded.count_wrong(), 0);
  }
}

}  // namespace
}  // namespace shardmark::bench
