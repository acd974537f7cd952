// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "bench/harness/measure/case_runner.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "bench/load/load_case.hpp"
#include "bench/suite/run_suite.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/testing/damaged_checkpoint.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

using shardmark::testing::flip_bit_of_elements;
using shardmark::testing::world;

class Suite : public ::testing::Test {
 protected:
  Suite() {
    options_.suite = "smoke";
    options_.directory = directory_.path() + "/out";
    options_.command_line = {"shardmark", "run", "smoke"};
  }

  std::vector<SweepCase> points(std::vector<std::string> overrides,
                                const std::string& sweep = "") const {
    const std::string path = directory_.path() + "/suite.toml";
    if (world().is_root()) {
      std::ofstream(path) << "model.name = \"tiny\"\nparallel.strategy = \"fsdp\"\n"
                             "run.repetitions = 2\nrun.warmup = 0\n[sweep]\n"
                          << sweep;
    }
    world().barrier();
    overrides.push_back("storage.directory=" + checkpoints());
    const auto document = read_config(path, overrides);
    EXPECT_TRUE(document) << document.error().message;
    auto found = resolve_sweep(*document);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : std::vector<SweepCase>();
  }

  std::string checkpoints() const { return directory_.path() + "/checkpoints"; }

  nlohmann::json read(const std::string& file) const {
    std::ifstream stream(options_.directory + "/" + file);
    return nlohmann::json::parse(stream);
  }

  std::set<std::string> steps() const {
    std::set<std::string> names;
    // Below the run's own folder, which goes with the last of them.
    for (const auto& run : std::filesystem::directory_iterator(checkpoints())) {
      EXPECT_TRUE(run_id_of_name(run.path().filename().string())) << run.path();
      for (const auto& entry : std::filesystem::directory_iterator(run.path())) {
        names.insert(entry.path().filename().string());
      }
      EXPECT_FALSE(names.empty()) << run.path();
    }
    return names;
  }

  testing::TemporaryDirectory directory_{world()};
  SuiteOptions options_;
};

TEST_F(Suite, MeasuresVerifiesAndKeepsWhatItWasTold) {
  const auto outcome =
      run_suite(points({"run.keep=1"}, "\"storage.io\" = [\"independent\", \"collective\"]"),
                options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
  if (!world().is_root()) {
    return;
  }
  EXPECT_THAT(steps(), UnorderedElementsAre("step-00000005"));  // two loads, four saves
  EXPECT_THAT(outcome->text, HasSubstr("tiny, "));

  const auto document = read("samples.json");
  std::map<std::string, int> repetitions;
  for (const auto& sample : document["samples"]) {
    const std::string name = sample["name"];
    ++repetitions[name];
    EXPECT_EQ(sample["verified"], true) << name;
    EXPECT_TRUE(sample["error"].is_null()) << name;
    EXPECT_GT(sample["time_s"].get<double>(), 0) << name;
    EXPECT_EQ(sample["num_bytes"].get<std::int64_t>() > 0, true) << name;
    EXPECT_EQ(sample["per_rank"]["total_s"].size(), static_cast<std::size_t>(world().size()));
    if (sample["family"] == "save") {
      EXPECT_GE(sample["bytes_written"].get<std::int64_t>(),
                sample["num_bytes"].get<std::int64_t>());
      EXPECT_GT(sample["inventory"]["files"].get<int>(), 0);
      EXPECT_EQ(sample["io_modes"][0]["requested"], sample["case"]["io"]);
      EXPECT_EQ(sample["io_modes"][0]["actual"], sample["case"]["io"]);
    }
    if (sample["family"] == "load") {
      EXPECT_GE(sample["bytes_read"].get<std::int64_t>(), sample["num_bytes"].get<std::int64_t>());
      EXPECT_FALSE(sample["cold"].is_null());
    }
  }
  const std::string ranks = std::to_string(world().size());
  const std::string tail = "/nodes:1/ranks:" + ranks;
  EXPECT_EQ(repetitions.size(), 5U + 4U);  // what does not touch files is not repeated for io
  EXPECT_EQ(repetitions["save/tiny/fsdp/auto-independent" + tail], 2);
  EXPECT_EQ(repetitions["load/tiny/fsdp/auto-collective" + tail], 2);
  EXPECT_EQ(repetitions["plan/tiny/fsdp/layout/world:" + ranks + "/ranks:" + ranks], 2);
  EXPECT_EQ(repetitions["hooks/tiny/fsdp/get_tensor_shard/world:" + ranks + "/ranks:" + ranks], 2);
}

TEST_F(Suite, VirtualWorldsOfAnySizeArePlannedAndSaySo) {
  const std::string hooks_and_plan = "run.benchmarks=[\"hooks\", \"plan\"]";
  const auto outcome =
      run_suite(points({hooks_and_plan},
                       "\"run.world\" = [12, 96]\n\"planner.kind\" = [\"layout\", \"coordinator\", "
                       "\"tree\"]"),
                options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
  if (world().is_root()) {
    std::map<std::string, std::set<std::int64_t>> bytes;
    const auto document = read("samples.json");
    for (const auto& sample : document["samples"]) {
      const std::string name = sample["name"];
      EXPECT_EQ(sample["virtual"], true) << name;
      EXPECT_EQ(sample["verified"], true) << name;
      EXPECT_EQ(sample["ranks"], world().size()) << name;
      const std::string size = std::to_string(sample["world_size"].get<int>());
      EXPECT_THAT(name, HasSubstr("/world:" + size + "/ranks:" + std::to_string(world().size())));
      if (sample["case"].value("planner", "load") != "load") {
        bytes["planned"].insert(sample["num_bytes"].get<std::int64_t>());
        EXPECT_EQ(sample["metrics"].contains("messages"), true) << name;
        // Every rank's timeline ends with the last virtual rank.
        for (const auto& total : sample["per_rank"]["total_s"]) {
          EXPECT_DOUBLE_EQ(total.get<double>(), sample["time_s"].get<double>()) << name;
        }
      }
    }
    EXPECT_EQ(bytes["planned"].size(), 1U) << "the same model, whatever the world";
    EXPECT_FALSE(std::filesystem::exists(checkpoints()));
  }

  const auto with_files = run_suite(
      points({"run.world=12", "run.benchmarks=[\"save\", \"ceiling\"]"}), options_, world());
  ASSERT_FALSE(with_files);
  EXPECT_THAT(with_files.error().message, HasSubstr("run.world = 12"));
}

TEST_F(Suite, CeilingsMoveTheBytesOfTheirCheckpointAndLeaveNothing) {
  const auto outcome =
      run_suite(points({"run.repetitions=1", "run.benchmarks=[\"save\", \"load\", \"ceiling\"]"}),
                options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
  if (!world().is_root()) {
    return;
  }
  EXPECT_TRUE(steps().empty());
  EXPECT_THAT(outcome->text, HasSubstr("waterfall, save of tiny/fsdp"));
  const auto document = read("samples.json");
  std::map<std::string, std::int64_t> bytes;
  for (const auto& sample : document["samples"]) {
    EXPECT_EQ(sample["verified"], true) << sample["name"];
    bytes[sample["family"] == "ceiling" ? sample["case"]["operation"].get<std::string>()
                                        : sample["family"].get<std::string>() + "d"] =
        sample["num_bytes"];
    if (sample["family"] == "save") {
      EXPECT_EQ(sample["visible_s"].is_null(), world().size() == 1);  // no child in a test
      EXPECT_EQ(sample["visible_from"].is_null(), world().size() == 1);
    }
  }
  const std::int64_t rounding = 4096 * world().size();
  EXPECT_GE(bytes["save"], bytes["saved"]);
  EXPECT_LT(bytes["save"], bytes["saved"] + rounding);
  EXPECT_GE(bytes["load"], bytes["loadd"]);
  EXPECT_LT(bytes["load"], bytes["loadd"] + rounding);
  ASSERT_EQ(document["waterfalls"].size(), 2U);
  for (const auto& waterfall : document["waterfalls"]) {
    ASSERT_EQ(waterfall["layers"].size(), 6U);
    EXPECT_EQ(waterfall["layers"][5]["layer"], "shardmark");
    EXPECT_EQ(waterfall["layers"][5]["of_ceilings"].size(), 9U);
  }
  const auto trace = read("trace.json");
  std::set<int> ranks;
  for (const auto& event : trace["traceEvents"]) {
    if (event["ph"] == "X") {
      ranks.insert(event["tid"].get<int>());
      EXPECT_GE(event["ts"].get<double>(), 0);
    }
  }
  EXPECT_EQ(ranks.size(), static_cast<std::size_t>(world().size()));
}

TEST_F(Suite, TheNullBackEndHasNothingToLoadOrVerify) {
  const auto outcome =
      run_suite(points({"storage.backend=null", "run.repetitions=1"}), options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error);
  EXPECT_FALSE(std::filesystem::exists(checkpoints()));
  if (!world().is_root()) {
    return;
  }
  EXPECT_THAT(outcome->text, HasSubstr("skipped: load/tiny/fsdp/null/"));
  const auto document = read("samples.json");
  for (const auto& sample : document["samples"]) {
    if (sample["family"] == "save") {
      EXPECT_TRUE(sample["verified"].is_null());
      EXPECT_TRUE(sample["inventory"].is_null());
    }
    EXPECT_EQ(sample["skipped"].is_string(), sample["family"] == "load");
  }
}

TEST_F(Suite, RefusesBeforeAnythingRuns) {
  options_.benchmark_flags = {"--benchmark_repetitions=2"};
  EXPECT_EQ(run_suite(points({}), options_, world()).error().code, ErrorCode::invalid_argument);
  options_.benchmark_flags = {"--benchmark_filter=nothing"};
  EXPECT_EQ(run_suite(points({}), options_, world()).error().code, ErrorCode::invalid_argument);
  options_.benchmark_flags = {};
  EXPECT_FALSE(run_suite(points({"parallel.dp_shard=7777"}), options_, world()));
  const auto swept = run_suite(points({}, "\"run.repetitions\" = [1, 2]"), options_, world());
  ASSERT_FALSE(swept);
  EXPECT_THAT(swept.error().message, HasSubstr("run.repetitions"));
  options_.directory = directory_.path() + "/missing/out";
  EXPECT_EQ(run_suite(points({}), options_, world()).error().code, ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/out"));
}

TEST_F(Suite, AFlagInTheEnvironmentOfSomeRanksStopsAll) {
  const bool last = world().rank() == world().size() - 1;
  if (last) {
    ASSERT_EQ(::setenv("BENCHMARK_LIST_TESTS", "1", 1), 0);
  }
  const auto outcome = run_suite(points({}), options_, world());
  ::unsetenv("BENCHMARK_LIST_TESTS");
  if (world().size() > 1) {
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr("list_tests"));
  }
}

TEST_F(Suite, ListsItsCasesOnce) {
  options_.benchmark_flags = {"--benchmark_list_tests"};
  const auto outcome = run_suite(points({}), options_, world());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(std::ranges::count(outcome->text, '\n'), 7);
  EXPECT_FALSE(std::filesystem::exists(options_.directory));
}

TEST_F(Suite, AWrongBitRemovesTheNumber) {
  // Without checksums nothing but the check of values can find it.
  const auto all = points({"load.checksum=none", "storage.checksum=none"});
  const NodeTopology topology = NodeTopology::discover(world());
  SuiteEnvironment environment{world(),
                               topology,
                               WorkloadPool(world().rank(), world().size(), 0),
                               {},
                               FreeMemory(topology, world(), false)};
  auto checkpoints_made =
      CheckpointSteps::make(std::vector<std::string>{checkpoints()}, 0, 5, world());
  ASSERT_TRUE(checkpoints_made);
  environment.checkpoints = std::move(*checkpoints_made);
  const auto load_case = std::move(load_cases(environment)(all.front()).front());
  CaseRunner runner(world(), {});
  ASSERT_TRUE(runner.set_up(*load_case));
  EXPECT_TRUE(runner.warm_up(*load_case));
  if (world().is_root()) {
    flip_bit_of_elements(environment.checkpoints.folder_of(checkpoints()), 0);
  }
  world().barrier();
  const Status damaged = runner.warm_up(*load_case);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::data_loss) << damaged.error().message;
  EXPECT_FALSE(runner.must_stop());
  EXPECT_TRUE(runner.tear_down(*load_case));
  environment.checkpoints.close();
  world().barrier();
  if (world().is_root()) {
    EXPECT_TRUE(steps().empty());
  }
}

/// Pairs of strategies and of worlds smaller than the launch, by sub-communicators.
TEST_F(Suite, ReshardLoadsEveryStrategysCheckpointUnderEveryOther) {
  const std::string half = std::to_string((world().size() + 1) / 2);
  const auto outcome = run_suite(
      points({"run.benchmarks=[\"reshard\"]", "reshard.load_ranks=" + half, "load.checksum=full"},
             "\"reshard.saved_strategy\" = [\"ddp\", \"fsdp\"]\n"
             "\"parallel.strategy\" = [\"ddp\", \"fsdp\"]\n"
             "\"reshard.save_ranks\" = [0, 1]\n\"load.replicas\" = [\"read\", \"broadcast\"]"),
      options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
  if (!world().is_root()) {
    return;
  }
  EXPECT_TRUE(steps().empty());
  std::set<std::string> names;
  const auto document = read("samples.json");
  for (const auto& sample : document["samples"]) {
    const std::string name = sample["name"];
    names.insert(name);
    EXPECT_EQ(sample["verified"], true) << name;
    EXPECT_EQ(sample["world_size"], std::stoi(half));
    EXPECT_EQ(sample["case"]["load_ranks"], half);
    const auto& metrics = sample["metrics"];
    EXPECT_GT(metrics["bytes_needed"].get<double>(), 0) << name;
    EXPECT_EQ(metrics["bytes_needed"].get<double>() + metrics["bytes_received"].get<double>(),
              sample["num_bytes"].get<double>());
    EXPECT_DOUBLE_EQ(metrics["amplification"].get<double>(),
                     sample["bytes_read"].get<double>() / metrics["bytes_needed"].get<double>());
    EXPECT_GT(metrics["smallest_request_bytes"].get<double>(), 0) << name;
  }
  // On one rank both worlds are the same.
  EXPECT_EQ(names.size(), world().size() == 1 ? 8U : 16U);
}

}  // namespace
}  // namespace shardmark::bench
