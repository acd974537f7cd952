// SPDX-License-Identifier: Apache-2.0
// Tensors that share a buffer or lie in blocks: who holds how much of what.
#include "shardmark/workload/local_buffer.hpp"

#include <gtest/gtest.h>

#include <map>

#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

struct Holding {
  std::map<std::string, std::map<std::int64_t, std::int64_t>> elements;  // by fqn, rank
  std::map<std::string, std::vector<int>> painted;  // by fqn: holders of each element
};

Holding holding_of(const WorkloadOptions& options, std::int64_t world) {
  Holding holding;
  auto workload = Workload::make(options, 0, world, Memory::none);
  EXPECT_TRUE(workload) << workload.error().message;
  for (std::int64_t rank = 0; rank < world && workload; ++rank) {
    EXPECT_TRUE(workload->move_to_rank(rank));
    for (const StateDictEntry& entry : workload->state_dict().entries()) {
      if (entry.tensor == nullptr) {
        continue;
      }
      for (const WriteItem& item : entry.tensor->create_write_items(entry.fqn).value()) {
        const Box& box = item.tensor_data.chunk;
        holding.elements[entry.fqn][rank] += box.num_elements();
        auto& painted = holding.painted[entry.fqn];
        painted.resize(static_cast<std::size_t>(volume(item.tensor_data.size)));
        for_each_run(box, item.tensor_data.size, [&](std::int64_t at, std::int64_t count) {
          for (std::int64_t i = 0; i < count; ++i) {
            ++painted[static_cast<std::size_t>(at + i)];
          }
        });
      }
    }
  }
  return holding;
}

/// Every element of a tensor is held `times` over.
void expect_held(const Holding& holding, const std::string& fqn, int times) {
  const auto found = holding.painted.find(fqn);
  ASSERT_NE(found, holding.painted.end()) << fqn;
  for (const int holders : found->second) {
    ASSERT_EQ(holders, times) << fqn;
  }
}

WorkloadOptions moe(const char* model, double scale, bool stacked) {
  WorkloadOptions options;
  options.model.name = model;
  options.model.scale = scale;
  options.model.optimizer = "sgd-momentum";
  options.model.stacked_experts = stacked;
  options.parallel.strategy = "ep";
  options.filter = [](std::string_view fqn) {
    return fqn.find("layers.3.") != fqn.npos || fqn.find("layers.30.") != fqn.npos;
  };
  return options;
}

TEST(ExpertParallel, SeparateExpertsLieOnTheirRanks) {
  WorkloadOptions options = moe("mixtral-8x7b", 0.00007, false);
  options.parallel.ep = 4;
  const Holding holding = holding_of(options, 8);  // 2 x 4: experts 0, 1 on ranks 0 and 4
  for (const char* name :
       {"model.layers.3.block_sparse_moe.experts.1.w1.weight",
        "optimizer.state.model.layers.3.block_sparse_moe.experts.1.w2.weight.momentum"}) {
    expect_held(holding, name, 1);
    const auto& by_rank = holding.elements.at(name);
    EXPECT_EQ(by_rank.size(), 2U);
    EXPECT_TRUE(by_rank.contains(0) && by_rank.contains(4)) << name;
  }
  const auto& last = holding.elements.at("model.layers.3.block_sparse_moe.experts.7.w1.weight");
  EXPECT_TRUE(last.contains(3) && last.contains(7));
  EXPECT_EQ(holding.elements.at("model.layers.3.self_attn.q_proj.weight").size(), 8U);
  expect_held(holding, "model.layers.3.self_attn.q_proj.weight", 1);
}

TEST(ExpertParallel, StackedExpertsAreOneTensorAWeight) {
  for (const auto& [model, scale, name, experts] :
       {std::tuple{"mixtral-8x7b", 0.00007, "model.layers.3.block_sparse_moe.experts.w2.weight", 8},
        std::tuple{"deepseek-v3", 0.00002, "model.layers.30.mlp.experts.gate_proj.weight", 256}}) {
    SCOPED_TRACE(model);
    const Holding holding = holding_of(moe(model, scale, true), 4);
    expect_held(holding, name, 1);
    EXPECT_EQ(holding.elements.at(name).size(), 4U);
    EXPECT_EQ(holding.painted.at(name).size() % static_cast<std::size_t>(experts), 0U);
    for (const auto& [fqn, painted] : holding.painted) {
      EXPECT_EQ(fqn.find("experts.1."), fqn.npos);
      EXPECT_EQ(fqn.find("experts.0."), fqn.npos);
    }
  }
  // Other strategies cut the stack where they would have cut the experts.
  WorkloadOptions options = moe("mixtral-8x7b", 0.00007, true);
  options.parallel.strategy = "megatron";
  options.parallel.tp = 2;
  expect_held(holding_of(options, 2), "model.layers.3.block_sparse_moe.experts.w2.weight", 1);
}

WorkloadOptions tiny_options(const char* strategy) {
  WorkloadOptions options;
  options.model.name = "tiny";
  options.parallel.strategy = strategy;
  return options;
}

TEST(FlatFsdp, OneBufferALayerAndDtypeCutEvenly) {
  const Holding holding = holding_of(tiny_options("flat-fsdp"), 4);
  for (const auto& [fqn, painted] : holding.painted) {
    expect_held(holding, fqn, fqn.find("scalar") == fqn.npos ? 1 : 4);
  }
  // float16 tensors of layer 0: up.weight [211, 61] and up.bias [211], 13,082 elements, 3,271 each.
  const auto& weight = holding.elements.at("layers.0.up.weight");
  EXPECT_EQ(weight.at(0), 3271);
  EXPECT_EQ(weight.at(3), 211 * 61 - 3 * 3271);
  EXPECT_EQ(holding.elements.at("layers.0.up.bias").size(), 1U) << "all of it on the last rank";
  EXPECT_EQ(holding.elements.at("layers.0.up.bias").at(3), 211);
}

TEST(MegatronDist, OptimizerIsCutOverDataParallelRanks) {
  WorkloadOptions options = tiny_options("megatron-dist");
  options.parallel.tp = 2;
  const Holding holding = holding_of(options, 6);  // 3 x 2
  expect_held(holding, "layers.0.up.weight", 3);
  expect_held(holding, "layers.0.mask", 6);
  expect_held(holding, "optimizer.state.layers.0.up.weight.exp_avg", 1);
  expect_held(holding, "optimizer.state.layers.0.down.bias.exp_avg", 2);  // tp replicates it
  expect_held(holding, "optimizer.state.scalar.exp_avg", 6);
  std::map<std::int64_t, std::int64_t> states;
  for (const auto& [fqn, by_rank] : holding.elements) {
    if (fqn.starts_with("optimizer.") && fqn.find("scalar") == fqn.npos) {
      for (const auto& [rank, elements] : by_rank) {
        states[rank] += elements;
      }
    }
  }
  for (const std::int64_t rank : {2, 4}) {  // same tp coordinate: they share buffers
    EXPECT_NEAR(static_cast<double>(states[rank]), static_cast<double>(states[0]), 12);
  }
}

TEST(BlockCyclicStrategy, GridOfTheWorld) {
  WorkloadOptions options;
  options.model.name = "matrix";
  options.model.matrix_sizes = "20x30,7";
  options.parallel.strategy = "block-cyclic";
  options.parallel.block_size = 4;
  const Holding holding = holding_of(options, 6);  // 2 x 3
  expect_held(holding, "matrix.0", 1);
  expect_held(holding, "vector.1", 1);
  EXPECT_EQ(holding.elements.at("matrix.0").at(0), 12 * 12) << "3 of 5 blocks, 3 of 8";
  const auto& vector = holding.elements.at("vector.1");
  EXPECT_EQ(vector, (std::map<std::int64_t, std::int64_t>{{0, 4}, {3, 3}}))
      << "the first column of processes";
  EXPECT_EQ(holding.elements.size(), 2U) << "no optimizer";
  for (const std::int64_t rows : {4, 0}) {
    options.parallel.grid_rows = rows;
    const auto refused = Strategy::resolve(options.parallel, 6);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("a divisor of the world"), std::string::npos);
  }
}

}  // namespace
}  // namespace shardmark
