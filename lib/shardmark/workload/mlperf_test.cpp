// SPDX-License-Identifier: Apache-2.0
// MLPerf Storage's checkpoint workloads: its own table of bytes, and its one final norm a rank.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "shardmark/workload/catalog_test_fixture.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Mlperf, HasOneFinalNormATensorParallelRankThatWritesOne) {
  EXPECT_EQ(tensor_of(model_of("mlperf-70b"), "model.norm.weight").shape, (Dims{8192}));
  const Model model = model_of("mlperf-405b");
  const TensorSpec& norm = tensor_of(model, "model.norm.weight");
  EXPECT_EQ(norm.shape, (Dims{8, 16384}));
  EXPECT_EQ(norm.tp_cut, TpCut::dim_0);
  EXPECT_EQ(num_elements(model.tensors), 405'853'388'800 + 7 * 16384);
}

/// The table of MLPerf Storage's checkpoint workloads: bytes of a checkpoint, and of the ranks that
/// write the least.
TEST(Mlperf, Totals) {
  constexpr double gib = 1024.0 * 1024 * 1024;
  struct Row {
    const char* model;
    const char* strategy;
    std::int64_t tp, pp, dp;
    double total, per_rank;
  };
  for (const Row& row : {Row{"mlperf-8b", "fsdp", 1, 1, 8, 104.7, 13.09},
                         {"mlperf-70b", "fsdp-tp", 8, 1, 8, 911.2, 14.24},
                         {"mlperf-405b", "megatron", 8, 32, 2, 5292, 8.86},
                         {"mlperf-1t", "megatron", 8, 64, 2, 15427, 12.91}}) {
    SCOPED_TRACE(row.model);
    WorkloadOptions options;
    options.model.name = row.model;
    options.parallel.strategy = row.strategy;
    if (row.tp > 1) {
      options.parallel.tp = row.tp;
    }
    if (row.pp > 1) {
      options.parallel.pp = row.pp;
    }
    options.parallel.order = "tp-pp-dp";
    const std::int64_t world = row.tp * row.pp * row.dp;
    auto made = Workload::make(options, world - 1, world, Memory::none);
    ASSERT_TRUE(made) << made.error().message;
    const Workload& workload = *made;
    EXPECT_NEAR(static_cast<double>(workload.global_num_bytes()) / gib, row.total,
                row.total * 1e-3);
    double pools = 0;  // where data-parallel rank 0 writes the model, the others write these
    for (const StateDictEntry& entry : workload.state_dict().entries()) {
      if (entry.tensor != nullptr && (row.pp == 1 || entry.fqn.starts_with("optimizer."))) {
        for (const WriteItem& item : entry.tensor->create_write_items(entry.fqn).value()) {
          pools += static_cast<double>(num_bytes(item));
        }
      }
    }
    EXPECT_NEAR(pools / gib, row.per_rank, 0.01);
  }
}

}  // namespace
}  // namespace shardmark
