// SPDX-License-Identifier: Apache-2.0
// Rules as a user writes them, over strategies whose own placements strategy_test.cpp has.
#include "shardmark/workload/placement_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/workload/strategy.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PlacementRule rule(std::string pattern, std::string_view placements) {
  return {std::move(pattern), parse_placements(placements).value(), "f.toml:3"};
}

TensorSpec named(std::string fqn, const Dims& shape = {64, 32}) {
  TensorSpec spec;
  spec.fqn = std::move(fqn);
  spec.shape = shape;
  spec.tp_cut = TpCut::dim_0;
  return spec;
}

TEST(PlacementRules, WhatSaysMostOfANameWins) {
  const std::vector<PlacementRule> written = {
      rule("*", "R"), rule("*.weight", "S(0)"), rule("*.experts.*.weight", "S(1)"),
      rule("lm_head.weight", "R"), rule("layers.[01].*", "S(-1)")};
  PlacementRules rules(written);
  const auto pattern_of = [&](const std::string& fqn) {
    const PlacementRule* const found = rules.find(named(fqn)).value();
    return found == nullptr ? std::string() : found->pattern;
  };
  EXPECT_EQ(pattern_of("a.experts.7.w1.weight"), "*.experts.*.weight");
  EXPECT_EQ(pattern_of("lm_head.weight"), "lm_head.weight");
  EXPECT_EQ(pattern_of("model.lm_head.weight"), "*.weight");
  EXPECT_EQ(pattern_of("a.bias"), "*");
  EXPECT_EQ(pattern_of("layers.1.bias"), "layers.[01].*");
  EXPECT_EQ(pattern_of("layers.2.bias"), "*");
  EXPECT_EQ(rules.find(named("scalar", {})).value(), nullptr) << "0-d tensors follow none";
  EXPECT_TRUE(rules.check_all_used({}));
}

TEST(PlacementRules, OptimizerTensorsFollowTheirParameter) {
  const std::vector<PlacementRule> written = {rule("a.weight", "S(1)")};
  PlacementRules rules(written);
  TensorSpec state = named("optimizer.state.a.weight.exp_avg");
  EXPECT_EQ(rules.find(state).value(), nullptr) << "a parameter of that name";
  state.optimizer_state = true;
  EXPECT_EQ(rules.find(state).value(), &written[0]);
  state.fqn = "optimizer.state.pool.exp_avg";
  state.world_pool = true;
  EXPECT_EQ(rules.find(state).value(), nullptr);
}

TEST(PlacementRules, EqualOnesMustAgree) {
  const std::vector<PlacementRule> written = {rule("a.*", "S(0)"), rule("*.b", "S(1)")};
  PlacementRules rules(written);
  EXPECT_TRUE(rules.find(named("a.c")));
  EXPECT_THAT(rules.find(named("a.b")).error().message,
              AllOf(HasSubstr("f.toml:3: parallel.rules: \"a.*\" = \"S(0)\""), HasSubstr("*.b"),
                    HasSubstr("'a.b'")));
  const std::vector<PlacementRule> alike = {rule("a.*", "S(0)"), rule("*.b", "S(0)")};
  PlacementRules agreeing(alike);
  EXPECT_TRUE(agreeing.find(named("a.b")));
}

std::string placed(const std::string& strategy, const char* placements, const TensorSpec& spec) {
  ParallelOptions options;
  options.strategy = strategy;
  options.rules = {rule("*", placements)};
  const auto resolved = Strategy::resolve(options, 16);
  if (!resolved) {
    return resolved.error().message;
  }
  const auto layout = resolved->layout(spec, 4, LayerSplit::ceil, &options.rules[0]);
  if (!layout) {
    return layout.error().message;
  }
  std::string text;
  for (const Placement& placement : layout->placements()) {
    text += (text.empty() ? "" : " ") + to_string(placement);
  }
  return text;
}

TEST(PlacementRules, TakeThePlaceOfTheStrategys) {
  const TensorSpec matrix = named("w");
  EXPECT_EQ(placed("ddp", "S(1)", matrix), "S(1)");
  EXPECT_EQ(placed("fsdp", "R", matrix), "R");
  EXPECT_EQ(placed("ep", "S(1)", matrix), "S(1)");
  // One placement: of tp, or dp_shard; the other mesh dimension stays as the strategy has it.
  EXPECT_EQ(placed("hsdp", "S(1)", matrix), "R S(1)");
  EXPECT_EQ(placed("megatron", "R", matrix), "R R");
  EXPECT_EQ(placed("fsdp-tp", "S(0)", matrix), "SS(0,4) S(0)");
  EXPECT_EQ(placed("fsdp-tp", "S(-2)", matrix), "SS(0,4) S(-2)");
  EXPECT_EQ(placed("fsdp-tp", "S(1)", matrix), "S(0) S(1)");
  EXPECT_EQ(placed("fsdp-tp", "R", matrix), "S(0) R");
  EXPECT_EQ(placed("fsdp-tp", "S(1),S(0)", matrix), "S(1) S(0)") << "all of them as written";
  EXPECT_EQ(placed("fsdp-tp", "S(1)", named("scalar", {})), "R R");
}

TEST(PlacementRules, RefusedBeforeAnythingIsMade) {
  const TensorSpec matrix = named("w");
  for (const auto& [strategy, placements, expected] :
       std::vector<std::array<const char*, 3>>{{"fsdp", "S(0),R", "2 placements, expected one"},
                                               {"hsdp", "S(0),R,R", "expected one or two"},
                                               {"block-cyclic", "S(0)", "has no placements"},
                                               {"fsdp", "S(2)", "outside the tensor"},
                                               {"megatron", "S(-3)", "outside the tensor"}}) {
    EXPECT_THAT(placed(strategy, placements, matrix),
                AllOf(HasSubstr("f.toml:3: parallel.rules: \"*\" = \""), HasSubstr(expected)));
  }
}

WorkloadOptions tiny_under(std::string_view strategy) {
  WorkloadOptions options;
  options.model.name = "tiny";
  options.model.optimizer = "sgd-momentum";
  options.parallel.strategy = strategy;
  return options;
}

TEST(PlacementRules, EveryStrategyHoldsTheLawsValuesUnderThem) {
  for (const std::string_view strategy : strategy_names()) {
    if (strategy == "block-cyclic") {
      continue;
    }
    WorkloadOptions options = tiny_under(strategy);
    options.parallel.rules = {rule("*.weight", "S(1)"), rule("norm.weight", "R"),
                              rule("embed.weight", "S(0)"), rule("*.codes", "SS(0,2)")};
    SCOPED_TRACE(strategy);
    std::int64_t held = 0;
    std::int64_t global = 0;
    for (std::int64_t rank = 0; rank < 4; ++rank) {
      auto workload = Workload::make(options, rank, 4, Memory::allocate);
      ASSERT_TRUE(workload) << workload.error().message;
      workload->fill(7);
      const Status status = workload->check(7);
      EXPECT_TRUE(status) << status.error().message;
      held += workload->local_num_bytes();
      global = workload->global_num_bytes();
    }
    EXPECT_GE(held, global);
  }
}

TEST(PlacementRules, AFlatBufferKeepsTheOthers) {
  const auto boxes_of = [](const WorkloadOptions& options, const char* fqn) {
    const auto workload = Workload::make(options, 1, 4, Memory::none).value();
    for (const StateDictEntry& entry : workload.state_dict().entries()) {
      if (entry.fqn == fqn) {
        return entry.tensor->create_chunk_list().value();
      }
    }
    return std::vector<Box>();
  };
  WorkloadOptions options = tiny_under("flat-fsdp");
  options.parallel.rules = {rule("layers.0.codes", "S(1)")};
  EXPECT_EQ(boxes_of(options, "layers.0.codes"), (std::vector<Box>{{{0, 8}, {127, 8}}}));
  options.parallel.strategy = "megatron-dist";
  options.parallel.rules = {rule("head.weight", "S(0),R")};
  options.parallel.tp = 2;
  EXPECT_EQ(boxes_of(options, "head.weight").size(), 1U);
  EXPECT_EQ(boxes_of(options, "optimizer.state.head.weight.momentum"),
            boxes_of(options, "head.weight"))
      << "cut by the rule over dp_replicate, so not flattened";
}

TEST(PlacementRules, APatternMustMatchATensor) {
  WorkloadOptions options = tiny_under("fsdp");
  options.parallel.rules = {rule("*.weight", "S(1)"), rule("*.wieght", "R")};
  options.filter = [](std::string_view fqn) { return fqn == "one"; };
  EXPECT_THAT(Workload::make(options, 0, 4, Memory::none).error().message,
              AllOf(HasSubstr("f.toml:3"), HasSubstr("*.wieght"), HasSubstr("embed.weight")));
  options.parallel.rules = {rule("scalar", "R")};
  EXPECT_FALSE(Workload::make(options, 0, 4, Memory::none)) << "a 0-d tensor alone";
  options.parallel.rules = {rule("head.weight", "S(1)")};
  EXPECT_TRUE(Workload::make(options, 0, 4, Memory::none)) << "what a load leaves out counts too";
}

}  // namespace
}  // namespace shardmark
