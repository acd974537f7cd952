// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/strategy.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace shardmark {
namespace {

ParallelOptions options_of(std::string strategy) {
  ParallelOptions options;
  options.strategy = std::move(strategy);
  return options;
}

using D = std::vector<std::int64_t>;

TensorSpec tensor(const Dims& shape, TpCut cut, std::int32_t layer = 0, bool state = false) {
  TensorSpec spec{"t", Dtype::bfloat16, shape, cut, layer};
  spec.optimizer_state = state;
  return spec;
}

std::string placements(const Strategy& strategy, const TensorSpec& spec) {
  std::string text;
  const TensorLayout layout = strategy.layout(spec, 4).value();
  for (const Placement& placement : layout.placements()) {
    text += (text.empty() ? "" : ",") + to_string(placement);
  }
  return text;
}

TEST(Strategy, Placements) {
  const TensorSpec column = tensor({64, 32}, TpCut::dim_0);
  const TensorSpec bias = tensor({64}, TpCut::dim_0);
  const TensorSpec row = tensor({32, 64}, TpCut::dim_1);
  const TensorSpec norm = tensor({32}, TpCut::none);
  const TensorSpec scalar = tensor({}, TpCut::dim_0);
  const TensorSpec state = tensor({64, 32}, TpCut::dim_0, 0, true);
  const TensorSpec scalar_state = tensor({}, TpCut::none, 0, true);
  struct Expected {
    const char* strategy;
    std::vector<std::string> of;  // column, bias, row, norm, scalar, state, scalar state
  };
  for (const Expected& expected :
       {Expected{"ddp", {"R", "R", "R", "R", "R", "R", "R"}},
        {"zero1", {"R", "R", "R", "R", "R", "S(0)", "R"}},
        {"fsdp", {"S(0)", "S(0)", "S(0)", "S(0)", "R", "S(0)", "R"}},
        {"hsdp", {"R,S(0)", "R,S(0)", "R,S(0)", "R,S(0)", "R,R", "R,S(0)", "R,R"}},
        {"fsdp-tp",
         {"SS(0,4),S(0)", "SS(0,4),S(0)", "S(0),S(1)", "S(0),R", "R,R", "SS(0,4),S(0)", "R,R"}},
        {"megatron", {"R,S(0)", "R,S(0)", "R,S(1)", "R,R", "R,R", "R,S(0)", "R,R"}}}) {
    SCOPED_TRACE(expected.strategy);
    const auto strategy = Strategy::resolve(options_of(expected.strategy), 16).value();
    std::vector<std::string> found;
    for (const TensorSpec& spec : {column, bias, row, norm, scalar, state, scalar_state}) {
      found.push_back(placements(strategy, spec));
    }
    if (strategy.name() == "megatron") {
      EXPECT_EQ(strategy.degrees().tp, 8);
    }
    EXPECT_EQ(found, expected.of);
  }
}

/// Ranks of a mesh in row-major order of coordinates.
std::vector<std::int64_t> ranks_of(const DeviceMesh& mesh) {
  std::vector<std::int64_t> ranks;
  for (std::int64_t i = 0; i < mesh.shape()[0]; ++i) {
    for (std::int64_t j = 0; j < (mesh.ndim() > 1 ? mesh.shape()[1] : 1); ++j) {
      ranks.push_back(mesh.rank_at(mesh.ndim() > 1 ? Dims{i, j} : Dims{i}));
    }
  }
  return ranks;
}

TEST(Strategy, RankOrder) {
  ParallelOptions options = options_of("megatron");
  options.tp = 2;
  options.pp = 2;
  options.dp_replicate = 2;
  const auto mesh = [&](std::int32_t layer) {
    return Strategy::resolve(options, 8)->layout(tensor({8}, TpCut::dim_0, layer), 4)->mesh;
  };
  // (dp_replicate, tp) of each stage: tp fastest, then dp, then pp.
  EXPECT_EQ(ranks_of(mesh(0)), (D{0, 1, 2, 3}));
  EXPECT_EQ(ranks_of(mesh(3)), (D{4, 5, 6, 7}));
  options.order = "tp-pp-dp";
  EXPECT_EQ(ranks_of(mesh(0)), (D{0, 1, 4, 5}));
  EXPECT_EQ(ranks_of(mesh(3)), (D{2, 3, 6, 7}));
  options = options_of("hsdp");
  EXPECT_EQ(ranks_of(Strategy::resolve(options, 6)->layout(tensor({8}, TpCut::none), 4)->mesh),
            (D{0, 1, 2, 3, 4, 5}));
  options = options_of("fsdp-tp");
  options.tp = 3;
  EXPECT_EQ(Strategy::resolve(options, 6)->layout(tensor({8}, TpCut::none), 4)->mesh,
            DeviceMesh::row_major({2, 3}).value());
}

TEST(Strategy, StagesAreContiguousByTheCeilRule) {
  ParallelOptions options = options_of("megatron");
  options.pp = 4;
  options.tp = 1;
  const auto strategy = Strategy::resolve(options, 4).value();
  const auto stage = [&](std::int32_t layer, std::int32_t layers) {
    return strategy.stage(tensor({4}, TpCut::none, layer), layers);
  };
  std::vector<std::int64_t> stages;
  for (std::int32_t layer = -1; layer <= 10; ++layer) {
    stages.push_back(stage(layer, 10));
  }
  EXPECT_EQ(stages, (D{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3}));
  EXPECT_EQ(stage(1, 2), 1) << "more stages than layers: the middle ones hold nothing";
  EXPECT_EQ(stage(2, 2), 3);
}

TEST(Strategy, EvenSplitGivesTheFirstStagesOneMore) {
  for (const std::int64_t pp : {1, 2, 5, 32, 64}) {
    ParallelOptions options = options_of("megatron");
    options.pp = pp;
    options.tp = 1;
    const auto strategy = Strategy::resolve(options, pp).value();
    for (const std::int32_t layers : {1, 7, 32, 126, 128}) {
      D expected;  // stages in order, each as often as it has layers
      for (std::int64_t stage = 0; stage < pp; ++stage) {
        const auto count = static_cast<std::size_t>(layers / pp + (stage < layers % pp ? 1 : 0));
        expected.insert(expected.end(), count, stage);
      }
      D found;
      for (std::int32_t layer = 0; layer < layers; ++layer) {
        found.push_back(strategy.stage(tensor({4}, TpCut::none, layer), layers, LayerSplit::even));
      }
      EXPECT_EQ(found, expected) << layers << " layers, " << pp << " stages";
    }
    EXPECT_EQ(strategy.stage(tensor({4}, TpCut::none, 7), 7, LayerSplit::even), pp - 1) << "head";
  }
}

}  // namespace
}  // namespace shardmark
