// SPDX-License-Identifier: Apache-2.0
// Ceilings whose set-up or files one rank cannot have: all say so, and the next ones go on.
#include "bench/ceiling/ceiling_cases.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/checkpoint_steps.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "bench/harness/measure/workload_pool.hpp"
#include "bench/machine/free_memory.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;
using ::testing::HasSubstr;

/// While it lives this process opens no file more, if it is the one.
class NoMoreFiles {
 public:
  explicit NoMoreFiles(bool is_the_one) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{is_the_one ? 0 : before_.rlim_cur, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  rlimit before_{};
};

class CeilingCases : public ::testing::Test {
 protected:
  CeilingCases() {
    point_.config.model.name = "tiny";
    point_.config.parallel.strategy = "ddp";
    point_.config.storage.directory = directory_.path();
    auto steps = CheckpointSteps::make(std::vector{directory_.path()}, 0, 1, world());
    EXPECT_TRUE(steps);
    environment_.checkpoints = std::move(*steps);
    cases_ = ceiling_cases(environment_)(point_);
  }
  ~CeilingCases() override { environment_.checkpoints.close(); }

  BenchmarkCase& named(std::string_view variant) {
    const auto found = std::ranges::find_if(
        cases_, [&](const auto& each) { return each->description().variant == variant; });
    EXPECT_NE(found, cases_.end()) << variant;
    return **found;
  }

  std::string run_folder() const { return environment_.checkpoints.folder_of(directory_.path()); }

  /// Collective.
  static void rename(const std::string& from, const std::string& to) {
    if (world().is_root()) {
      std::filesystem::rename(from, to);
    }
    world().barrier();
  }

  TemporaryDirectory directory_{world()};
  SweepCase point_;
  NodeTopology topology_ = NodeTopology::discover(world());
  SuiteEnvironment environment_{
      .comm = world(),
      .topology = topology_,
      .workloads = WorkloadPool(world().rank(), world().size(), std::int64_t{1} << 30),
      .checkpoints = {},
      .free_memory = FreeMemory(topology_, world(), false)};
  Cases cases_;
};

TEST_F(CeilingCases, WithoutAFolderAllFailAlikeUntilThereIsOne) {
  const std::string folder = run_folder();
  rename(folder, folder + ".away");
  // The second and third would use what the first has not made.
  for (const char* const variant :
       {"memcpy-save", "posix-per-rank-buffered-save", "posix-shared-buffered-load"}) {
    const Status made = named(variant).set_up();
    ASSERT_FALSE(made) << variant;
    EXPECT_THAT(made.error().message, HasSubstr("cannot make " + folder + "/.ceiling-")) << variant;
  }
  rename(folder + ".away", folder);
  BenchmarkCase& good = named("posix-shared-buffered-save");
  const Status made = good.set_up();
  EXPECT_TRUE(made) << made.error().message;
  EXPECT_TRUE(good.prepare());
  EXPECT_TRUE(good.operate());
  Measurement measurement;
  EXPECT_TRUE(good.check(measurement));
  EXPECT_EQ(measurement.verified, true);
  for (const auto& each : cases_) {
    EXPECT_TRUE(each->tear_down());
  }
  if (world().is_root()) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      EXPECT_EQ(entry.path().filename().string().find(".ceiling-"), std::string::npos);
    }
  }
  world().barrier();
}

TEST_F(CeilingCases, OfMpiIoAskEveryRankBeforeTheClockRuns) {
  const int failing = world().size() - 1;
  for (const char* const variant :
       {"mpi-io-save", "bare-hdf5-save", "mpi-io-load", "bare-hdf5-load"}) {
    BenchmarkCase& benchmark_case = named(variant);
    const Status made = benchmark_case.set_up();
    ASSERT_TRUE(made) << variant << ": " << made.error().message;
    Status prepared;
    {
      const NoMoreFiles none(world().rank() == failing);
      prepared = benchmark_case.prepare();
    }
    // In the operation the others would wait for this rank.
    ASSERT_FALSE(prepared) << variant;
    EXPECT_EQ(prepared.error().rank, failing) << variant;
    EXPECT_THAT(prepared.error().message, HasSubstr("Too many open files")) << variant;
    EXPECT_TRUE(benchmark_case.prepare()) << variant;
    EXPECT_TRUE(benchmark_case.operate()) << variant;
    Measurement measurement;
    EXPECT_TRUE(benchmark_case.check(measurement)) << variant;
    EXPECT_EQ(measurement.verified, true) << variant;
  }
  for (const auto& each : cases_) {
    EXPECT_TRUE(each->tear_down());
  }
}

}  // namespace
}  // namespace shardmark::bench
