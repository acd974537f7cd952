// SPDX-License-Identifier: Apache-2.0
#include "bench/load/given_checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/config/lib_options.hpp"
#include "bench/suite/run_suite.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/testing/damaged_checkpoint.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

using shardmark::testing::flip_bit_of_elements;
using shardmark::testing::world;

/// Every file below `directory` with its size and the time of its last change.
std::map<std::string, std::pair<std::uintmax_t, std::int64_t>> files_below(
    const std::string& directory) {
  std::map<std::string, std::pair<std::uintmax_t, std::int64_t>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    files[entry.path().string()] = {entry.is_regular_file() ? entry.file_size() : 0,
                                    entry.last_write_time().time_since_epoch().count()};
  }
  return files;
}

class LoadFrom : public ::testing::Test {
 protected:
  LoadFrom() {
    options_.suite = "smoke";
    options_.directory = directory_.path() + "/out";
    options_.command_line = {"shardmark", "run", "smoke"};
    options_.overwrite = true;
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
    overrides.push_back("storage.directory=" + checkpoints_);
    const auto document = read_config(path, overrides);
    EXPECT_TRUE(document) << document.error().message;
    auto found = resolve_sweep(*document);
    EXPECT_TRUE(found) << found.error().message;
    world().barrier();  // the next call writes the file again
    return found ? *found : std::vector<SweepCase>();
  }

  /// A save of all ranks under ddp, of a seed that no run has.
  void save_given(std::int64_t step) {
    const auto all = points({"parallel.strategy=ddp"});
    auto workload = Workload::make(workload_options(all.front().config), world().rank(),
                                   world().size(), Memory::allocate);
    ASSERT_TRUE(workload);
    workload->fill(77);
    const auto saved =
        save(workload->state_dict(), save_options(all.front().config, given_, step, 77), world());
    ASSERT_TRUE(saved) << saved.error().message;
  }

  testing::TemporaryDirectory directory_{world()};
  SuiteOptions options_;
  std::string given_ = directory_.path() + "/given";
  std::string checkpoints_ = directory_.path() + "/checkpoints";
};

TEST_F(LoadFrom, IsLoadedUnderAnyStrategyAgainAndAgainAndLeftAsItIs) {
  save_given(3);
  save_given(4);
  const auto before = files_below(given_);
  for (const std::string& from : {given_, given_ + "/step-00000003/"}) {
    const auto outcome = run_suite(points({"run.benchmarks=[\"load\"]", "load.from=" + from},
                                          "\"parallel.strategy\" = [\"fsdp\", \"ddp\"]\n"),
                                   options_, world());
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_FALSE(outcome->error) << outcome->error->message;
    if (!world().is_root()) {
      continue;
    }
    std::ifstream stream(options_.directory + "/samples.json");
    const auto document = nlohmann::json::parse(stream);
    EXPECT_EQ(document["samples"].size(), 4U);
    for (const auto& sample : document["samples"]) {
      const std::string name = sample["name"];
      EXPECT_THAT(name, HasSubstr("/shared-direct-given/"));
      EXPECT_EQ(sample["verified"], true) << name;
      EXPECT_EQ(sample["case"]["from"], from);
      EXPECT_EQ(sample["case"]["from_step"], from == given_ ? "4" : "3");
      EXPECT_EQ(sample["case"]["from_world"], std::to_string(world().size()));
      EXPECT_FALSE(sample["cold"].is_null());
      EXPECT_GE(sample["bytes_read"].get<std::int64_t>(), 1);
    }
  }
  world().barrier();
  EXPECT_EQ(files_below(given_), before);
  EXPECT_FALSE(std::filesystem::exists(checkpoints_)) << "nothing is saved for it";
}

TEST_F(LoadFrom, IsRefusedBeforeAnythingRunsWhereItCannotBeLoaded) {
  save_given(4);
  const std::string only_loads = "run.benchmarks=[\"load\"]";
  const auto refusal = [&](std::vector<std::string> overrides) {
    const auto outcome = run_suite(points(std::move(overrides)), options_, world());
    EXPECT_FALSE(outcome);
    return outcome ? Error{} : outcome.error();
  };
  const Error shape = refusal({only_loads, "load.from=" + given_, "model.dtype=float64"});
  EXPECT_EQ(shape.code, ErrorCode::mismatch) << shape.message;
  EXPECT_THAT(shape.message, HasSubstr("load.from"));
  EXPECT_THAT(shape.message, HasSubstr("float64"));
  const Error missing =
      refusal({only_loads, "load.from=" + given_, "model.optimizer=sgd-momentum"});
  EXPECT_EQ(missing.code, ErrorCode::not_found) << missing.message;
  EXPECT_THAT(missing.message, HasSubstr("momentum"));
  EXPECT_EQ(refusal({only_loads, "load.from=" + given_ + "/none"}).code, ErrorCode::not_found);
  EXPECT_EQ(refusal({only_loads, "load.from=" + given_ + "/step-00000009"}).code,
            ErrorCode::not_found);
  EXPECT_THAT(refusal({"run.benchmarks=[\"reshard\"]", "load.from=" + given_}).message,
              HasSubstr("reshard"));
  EXPECT_FALSE(std::filesystem::exists(options_.directory));
}

TEST_F(LoadFrom, OfOthersValuesFailsWithTheWayOut) {
  save_given(4);
  if (world().is_root()) {
    flip_bit_of_elements(given_, 4);
  }
  world().barrier();
  const std::vector<std::string> overrides = {"run.benchmarks=[\"load\"]", "load.from=" + given_,
                                              "load.checksum=none", "run.repetitions=1"};
  const auto checked = run_suite(points(overrides), options_, world());
  ASSERT_TRUE(checked) << checked.error().message;
  ASSERT_TRUE(checked->error);
  EXPECT_THAT(checked->error->message, HasSubstr("run.verify = \"none\""));
  auto trusting = overrides;
  trusting.emplace_back("run.verify=none");
  const auto outcome = run_suite(points(trusting), options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
}

}  // namespace
}  // namespace shardmark::bench
