// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness/run/run_cases.hpp"
#include "bench/suite/families.hpp"
#include "shardmark/core/checksum.hpp"
#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

using shardmark::testing::world;

constexpr std::array<Phase, 2> fake_phases = {Phase::read, Phase::wait};

/// What the fakes of one run did, in order.
using CallLog = std::vector<std::string>;

/// Where a fake fails, and on which rank.
struct Failure {
  std::string member;
  int rank = 0;
  int from_call = 0;  // counted from 0
};

class FakeCase final : public BenchmarkCase {
 public:
  FakeCase(std::string name, CallLog& log, std::optional<Failure> failure = {})
      : BenchmarkCase(describe(std::move(name))), log_(log), failure_(std::move(failure)) {}

  Status set_up() override { return called("set_up"); }
  Status prepare() override { return called("prepare"); }
  Status operate() override { return called("operate"); }
  Status tear_down() override { return called("tear_down"); }
  Status check(Measurement& measurement) override {
    measurement.phase_list = fake_phases;
    measurement.phases[Phase::read] = world().rank() + 1;
    measurement.num_bytes = 77;
    measurement.bytes_read = 10;
    measurement.balanced_bytes = world().rank() == 0 ? world().size() : 0;
    measurement.cold = CacheReport{CacheState::partly_cold, 0.5};
    measurement.verified = true;
    return called("check");
  }

 private:
  static CaseDescription describe(std::string name) {
    CaseDescription description;
    description.family = find_family(name.substr(0, name.find('/')))->traits;
    description.name = std::move(name);
    description.model = "m";
    description.strategy = "s";
    description.world_size = world().size();
    return description;
  }

  Status called(const std::string& member) {
    log_.push_back(description().name + " " + member);
    world().barrier();  // every member is collective: a rank that is elsewhere hangs here
    if (failure_ && failure_->member == member && world().rank() == failure_->rank &&
        calls_++ >= failure_->from_call) {
      return Error{ErrorCode::io_error, member + " broke"};
    }
    return {};
  }

  CallLog& log_;
  std::optional<Failure> failure_;
  int calls_ = 0;
};

class SkippedCase final : public BenchmarkCase {
 public:
  SkippedCase() : BenchmarkCase(describe()) {}
  Status operate() override { return Error{ErrorCode::internal, "called"}; }
  Status check(Measurement&) override { return {}; }

 private:
  static CaseDescription describe() {
    CaseDescription description;
    description.name = "load/s";
    description.family = find_family("load")->traits;
    description.skipped = "nothing there";
    return description;
  }
};

class HarnessRun : public ::testing::Test {
 protected:
  HarnessRun() {
    context_.build = {"0", "unknown", false, "g++", "Debug", "mpi", "hdf5", "fmt", "1.7.1"};
    context_.topology = NodeTopology::discover(world());
    context_.cpu = "cpu";
    context_.filesystem = {"ext4", "/"};
    context_.mpi_io = {"ompio", {}};
    context_.suite = "fake";
    context_.config = "x = 1";
    context_.config_hash = "0";
    context_.started = "2026-01-01T00:00:00Z";
    context_.shuffle_seed = common_shuffle_seed({}, world());
    context_.command_line = {"shardmark", "run"};
    settings_.repetitions = 3;
    settings_.warmup = 1;
    settings_.directory = directory_.path();
  }

  void add(const std::string& name, std::optional<Failure> failure = {}) {
    cases_.push_back(std::make_unique<FakeCase>(name, log_, std::move(failure)));
  }

  Result<RunResult> run() { return run_cases(cases_, settings_, context_, world()); }

  /// Every rank must have called the same members in the same order.
  void expect_same_calls_everywhere() const {
    std::string text;
    for (const std::string& call : log_) {
      text += call + "\n";
    }
    std::array<std::uint64_t, 1> least = {xxh3(std::as_bytes(std::span(text)))};
    std::array<std::uint64_t, 1> most = least;
    world().all_reduce(std::span<std::uint64_t>(least), MPI_MIN);
    world().all_reduce(std::span<std::uint64_t>(most), MPI_MAX);
    EXPECT_EQ(least[0], most[0]) << text;
  }

  nlohmann::json read(const std::string& file) const {
    std::ifstream stream(directory_.path() + "/" + file);
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    auto document = nlohmann::json::parse(text, nullptr, false);
    EXPECT_FALSE(document.is_discarded()) << text;
    return document;
  }

  testing::TemporaryDirectory directory_{world()};
  RunContext context_;
  RunSettings settings_;
  CallLog log_;
  std::vector<std::unique_ptr<BenchmarkCase>> cases_;
};

TEST_F(HarnessRun, RunsEveryCaseOnceARoundInTheSameOrderOnAllRanks) {
  for (int i = 0; i < 8; ++i) {
    add("save/" + std::to_string(i));
  }
  const auto result = run();
  ASSERT_TRUE(result) << result.error().message;
  expect_same_calls_everywhere();
  EXPECT_EQ(result->failed_cases, 0);
  EXPECT_FALSE(result->first_error);
  EXPECT_EQ(result->samples.size(), 24U);
  EXPECT_EQ(std::ranges::count(log_, "save/3 operate"), 4);  // one warm-up
  EXPECT_EQ(std::ranges::count(log_, "save/3 set_up"), 1);
  EXPECT_EQ(std::ranges::count(log_, "save/3 tear_down"), 1);
  if (!world().is_root()) {
    return;
  }
  const auto samples = read("samples.json");
  const auto benchmark = read("benchmark.json");
  ASSERT_EQ(samples["samples"].size(), 24U);
  ASSERT_EQ(benchmark["benchmarks"].size(), 24U);
  for (std::size_t i = 0; i < 24; ++i) {
    const auto& sample = samples["samples"][i];
    EXPECT_EQ(sample["order"], i);
    EXPECT_EQ(sample["repetition"], i / 8);
    const std::string name = sample["name"];
    EXPECT_EQ(benchmark["benchmarks"][i]["name"], name + "/iterations:1/manual_time");
    EXPECT_NEAR(benchmark["benchmarks"][i]["real_time"].get<double>() / 1e3,
                sample["time_s"].get<double>(), 1e-6);
    EXPECT_EQ(benchmark["benchmarks"][i]["bytes"], 77);
  }
  EXPECT_EQ(benchmark["context"]["config_hash"], "0");
}

TEST_F(HarnessRun, SamplesHoldEveryRank) {
  add("load/a");
  settings_.repetitions = 1;
  ASSERT_TRUE(run());
  if (!world().is_root()) {
    return;
  }
  const auto sample = read("samples.json")["samples"][0];
  const int ranks = world().size();
  EXPECT_EQ(sample["bytes_read"], 10 * ranks);
  EXPECT_TRUE(sample["bytes_written"].is_null());
  EXPECT_EQ(sample["phases_s"]["read"]["min"], 1);
  EXPECT_EQ(sample["phases_s"]["read"]["max"], ranks);
  EXPECT_EQ(sample["phases_s"]["read"]["mean"], (ranks + 1) / 2.0);
  EXPECT_EQ(sample["phases_s"]["read"]["slowest_rank"], ranks - 1);
  EXPECT_EQ(sample["per_rank"]["phases_s"]["read"].size(), static_cast<std::size_t>(ranks));
  EXPECT_EQ(sample["per_rank"]["total_s"].size(), static_cast<std::size_t>(ranks));
  EXPECT_EQ(sample["metrics"]["imbalance"], ranks);
  EXPECT_EQ(sample["cold"]["state"], "partly-cold");
  EXPECT_EQ(sample["verified"], true);
  EXPECT_EQ(sample["ranks"], ranks);
  EXPECT_EQ(sample["virtual"], false);
}

TEST_F(HarnessRun, AFailureOnOneRankIsEverybodysAndTheOthersGoOn) {
  const int last = world().size() - 1;
  add("save/good");
  add("save/prepare", Failure{"prepare", last, 2});
  add("save/operate", Failure{"operate", last, 2});
  add("load/check", Failure{"check", last, 2});
  add("load/set_up", Failure{"set_up", last, 0});
  const auto result = run();
  ASSERT_TRUE(result) << result.error().message;
  expect_same_calls_everywhere();
  EXPECT_EQ(result->failed_cases, 4);
  ASSERT_TRUE(result->first_error);
  EXPECT_EQ(result->first_error->rank, last);
  EXPECT_EQ(result->first_error->message, "load/set_up: set_up broke");
  EXPECT_EQ(std::ranges::count(log_, "load/set_up operate"), 0);
  EXPECT_EQ(std::ranges::count(log_, "save/good check"), 4);
  if (!world().is_root()) {
    return;
  }
  std::size_t failed = 0;
  const auto samples = read("samples.json");
  for (const auto& sample : samples["samples"]) {
    failed += sample["error"].is_null() ? 0U : 1U;
    EXPECT_EQ(sample["time_s"].is_null(), !sample["error"].is_null());
    if (!sample["error"].is_null()) {
      EXPECT_EQ(sample["error"]["rank"], last);
      EXPECT_EQ(sample["error"]["code"], 1);
    }
  }
  EXPECT_EQ(failed, 3U + 2U + 2U + 2U);
  const auto benchmark = read("benchmark.json");
  for (const auto& entry : benchmark["benchmarks"]) {
    const std::string name = entry["name"];
    if (name.starts_with("load/set_up")) {
      EXPECT_EQ(entry["error_occurred"], true);
      EXPECT_EQ(entry["error_message"], "set_up broke");
    }
  }
}

TEST_F(HarnessRun, StopsWhereStorageIsUnusable) {
  add("save/a", Failure{"operate", 0, 0});
  add("save/b", Failure{"operate", 0, 0});
  settings_.warmup = 0;
  settings_.storage_unusable = [] { return world().rank() == world().size() - 1; };
  const auto result = run();
  ASSERT_TRUE(result);
  expect_same_calls_everywhere();
  EXPECT_TRUE(result->must_stop);
  EXPECT_EQ(result->failed_cases, 1);
  EXPECT_EQ(std::ranges::count_if(log_, [](const auto& c) { return c.ends_with(" operate"); }), 1);
  if (world().is_root()) {
    EXPECT_EQ(read("samples.json")["samples"].size(), 6U);
    EXPECT_THAT(read("samples.json")["samples"][5]["skipped"].get<std::string>(),
                HasSubstr("unusable"));
  }
}

TEST_F(HarnessRun, TheFilterSelectsOnAllRanksOrNothingRuns) {
  add("save/a");
  add("load/b");
  // Only rank 0's counts: ranks that were given another one must not go another way.
  settings_.flags.filter = world().is_root() ? "load" : "save";
  ASSERT_TRUE(run());
  expect_same_calls_everywhere();
  EXPECT_EQ(std::ranges::count(log_, "save/a set_up"), 0);
  EXPECT_EQ(std::ranges::count(log_, "load/b operate"), 4);

  log_.clear();
  settings_.flags.filter = "nothing";
  const auto none = run();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(none.error().message, HasSubstr("save/a, load/b"));
  EXPECT_TRUE(log_.empty());
}

TEST_F(HarnessRun, OutputThatCannotBeOpenedIsFoundBeforeAnythingRuns) {
  add("save/a");
  settings_.flags.for_root = {"--benchmark_out=" + directory_.path() + "/missing/x.json"};
  const auto refused = run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(log_.empty());

  settings_.flags.for_root = {"--benchmark_out=" + directory_.path() + "/x.json"};
  ASSERT_TRUE(run());
  if (world().is_root()) {
    EXPECT_EQ(read("x.json")["benchmarks"].size(), 3U);
  }
}

TEST_F(HarnessRun, ASkippedCaseStaysVisible) {
  add("save/a");
  cases_.push_back(std::make_unique<SkippedCase>());
  const auto result = run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->failed_cases, 0);
  if (world().is_root()) {
    const auto samples = read("samples.json")["samples"];
    ASSERT_EQ(samples.size(), 4U);
    EXPECT_EQ(samples[0]["skipped"], "nothing there");
  }
}

}  // namespace
}  // namespace shardmark::bench
