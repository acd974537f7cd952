// SPDX-License-Identifier: Apache-2.0
// The plan command against byte counts that others published or that follow from the shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/cli/driven_command.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::json;

constexpr double gib = 1024.0 * 1024 * 1024;

json plan(Words arguments) {
  arguments.insert(arguments.begin(), "plan");
  arguments.emplace_back("--json");
  const Outcome outcome = shardmark(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.exit_code == 0 ? json::parse(outcome.out) : json();
}

double gib_of(const json& bytes) {
  return bytes.get<double>() / gib;
}

/// GiB, as in the table of MLPerf Storage's checkpoint workloads and as its formula gives them.
struct MlperfRow {
  const char* suite;
  std::int64_t ranks;
  double total;
  double first_eight;
  // Data-parallel rank 0 writes the model too where only the optimizer is cut over data
  // parallelism.
  std::int64_t model_writers;
  double writers_min, writers_max;
  double others;
};

TEST(PlanCommand, MlperfSuitesGiveThePublishedSizes) {
  for (const MlperfRow& row : {MlperfRow{"mlperf-8b", 8, 104.7, 104.7, 8, 13.09, 13.09, 0},
                               {"mlperf-70b", 64, 911.2, 113.9, 64, 14.24, 14.24, 0},
                               {"mlperf-405b", 512, 5292, 98.5, 256, 11.1, 12.3, 8.86},
                               {"mlperf-1t", 1024, 15427, 143.7, 512, 17.2, 18.0, 12.91}}) {
    SCOPED_TRACE(row.suite);
    const json whole = plan({row.suite});
    EXPECT_EQ(whole["scale"], 1.0);
    EXPECT_EQ(whole["world_size"], row.ranks);
    EXPECT_NEAR(gib_of(whole["num_bytes"]), row.total, row.total < 5000 ? 0.06 : 0.6);
    EXPECT_NEAR(gib_of(plan({row.suite, "--ranks", "0:8"})["num_bytes"]), row.first_eight, 0.06);
    EXPECT_EQ(whole["imbalance"].get<double>() > 1.18, row.others > 0);

    const bool all_write_it = row.model_writers == row.ranks;
    const std::string first_writers = "0:" + std::to_string(row.model_writers);
    const json writers =
        (all_write_it ? whole : plan({row.suite, "--ranks", first_writers}))["bytes_per_rank"];
    EXPECT_NEAR(gib_of(writers["min"]), row.writers_min, 0.06);
    EXPECT_NEAR(gib_of(writers["max"]), row.writers_max, 0.06);
    if (!all_write_it) {
      const json others =
          plan({row.suite, "--ranks", std::to_string(row.model_writers) + ":"})["bytes_per_rank"];
      EXPECT_NEAR(gib_of(others["min"]), row.others, 0.006);
      EXPECT_NEAR(gib_of(others["max"]), row.others, 0.006);
    }
  }
}

TEST(PlanCommand, MemoryCountsReplicas) {
  for (const char* strategy : {"ddp", "fsdp"}) {
    SCOPED_TRACE(strategy);
    const std::string set = std::string("parallel.strategy=") + strategy;
    const json found = plan({"smoke", "--world", "4", "--set", set});
    const json& memory = found["memory_per_rank"];
    const auto total = found["num_bytes"].get<double>();
    if (std::string(strategy) == "ddp") {
      EXPECT_EQ(memory["min"], found["num_bytes"]);
      EXPECT_EQ(memory["max"], found["num_bytes"]);
    } else {
      // Only the objects are on every rank.
      EXPECT_EQ(memory["mean"].get<double>() * 4, total + 3 * (8 + 5056 + 1024));
    }
    EXPECT_EQ(found["bytes_per_rank"]["mean"].get<double>() * 4, total);
  }
  EXPECT_THAT(shardmark({"plan", "smoke", "--world", "4"}).out,
              ::testing::HasSubstr("\n  memory per rank   min "));
}

TEST(PlanCommand, ATreeFindsWhatTheCoordinatorFinds) {
  for (const char* strategy : {"ddp", "fsdp", "hsdp", "flat-fsdp", "block-cyclic"}) {
    SCOPED_TRACE(strategy);
    const auto plan_by = [&](const std::string& kind) {
      return plan({"smoke", "--world", "48", "--set", std::string("parallel.strategy=") + strategy,
                   "--set", "planner.kind=" + kind});
    };
    const json flat = plan_by("coordinator");
    const json tree = plan_by("tree");
    EXPECT_EQ(tree["planner"], "tree");
    for (const char* key : {"items", "num_bytes", "bytes_per_rank", "deduplicated_bytes", "files",
                            "metadata_bytes", "checksum_bytes", "tensors"}) {
      EXPECT_EQ(flat[key], tree[key]) << key;
    }
    ASSERT_EQ(flat["gathered_by_level"].size(), 1U);
    EXPECT_EQ(flat["gathered_by_level"][0]["messages"], 47);
    // Six nodes of eight: to the leader of the node, then by two steps at most.
    ASSERT_EQ(tree["gathered_by_level"].size(), 3U);
    EXPECT_EQ(tree["gathered_by_level"][0]["messages"], 7 + 3);
    EXPECT_EQ(tree["bytes_gathered"], tree["gathered_by_level"][0]["num_bytes"].get<int>() +
                                          tree["gathered_by_level"][1]["num_bytes"].get<int>() +
                                          tree["gathered_by_level"][2]["num_bytes"].get<int>());
  }
}

TEST(PlanCommand, TellsTheScaleThatTheModelIsConfiguredWith) {
  EXPECT_DOUBLE_EQ(plan({"quick", "--set", "model.scale=0.002"})["scale"], 0.002);
  EXPECT_GT(plan({"quick"})["scale"], 0.0);
}

TEST(PlanCommand, TellsWhetherARunOfItKeepsFiles) {
  EXPECT_EQ(plan({"quick"})["run_keeps_files"], true);
  EXPECT_EQ(plan({"quick", "--set", "storage.backend=null"})["run_keeps_files"], false);
  EXPECT_EQ(plan({"quick", "--set", "run.benchmarks=[\"hooks\", \"plan\"]"})["run_keeps_files"],
            false);
}

/// Bytes per rank of llama3-8b with adamw on 64 virtual ranks.
json plan_on_64(const std::string& strategy, const std::string& dedup) {
  return plan({"quick", "--world", "64", "--set", "model.name=llama3-8b", "--set", "model.scale=1",
               "--set", "parallel.strategy=" + strategy, "--set", "planner.dedup=" + dedup});
}

double imbalance(const std::string& strategy, const std::string& dedup) {
  const json found = plan_on_64(strategy, dedup);
  EXPECT_EQ(found["dedup"], dedup);
  return found["imbalance"];
}

TEST(PlanCommand, DedupPoliciesSpreadBytesAsTheirRulesSay) {
  // One rank writes everything, or one replica of two or eight does and its first rank the objects.
  EXPECT_DOUBLE_EQ(imbalance("ddp", "lowest-rank"), 64);
  EXPECT_NEAR(imbalance("hsdp", "lowest-rank"), 2, 0.001);
  EXPECT_NEAR(imbalance("megatron", "lowest-rank"), 8, 0.01);
  for (const char* strategy : {"ddp", "hsdp", "megatron"}) {
    EXPECT_LE(imbalance(strategy, "split"), 1.001) << strategy;
  }
  EXPECT_GT(imbalance("ddp", "dcp"), 2);  // by whole tensors in the order of their names
  // Whole chunks do where none is bigger than a rank's share. By ddp the embedding's state is.
  EXPECT_LE(imbalance("hsdp", "balanced"), 1.01);
  EXPECT_LE(imbalance("megatron", "balanced"), 1.01);
}

}  // namespace
}  // namespace shardmark::bench
