// SPDX-License-Identifier: Apache-2.0
// What is worked out of the tensors of a model: optimizer states, sums, stacks of experts.
#include "shardmark/workload/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/safetensors_test_fixture.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;
using namespace safetensors_test;

TEST(Optimizer, StatesFollowTheirParameter) {
  const auto tensors_with = [](const char* optimizer) {
    return optimizer_tensors(make_model({"tiny", {}, {}, optimizer}).value());
  };
  EXPECT_TRUE(tensors_with("none").empty());
  const auto adamw = tensors_with("adamw");
  EXPECT_EQ(adamw[0].fqn, "optimizer.state.embed.weight.master");
  EXPECT_EQ(adamw[1].fqn, "optimizer.state.embed.weight.exp_avg");
  EXPECT_EQ(adamw[2].fqn, "optimizer.state.embed.weight.exp_avg_sq");
  EXPECT_EQ(adamw[2].dtype, Dtype::float32);
  EXPECT_EQ(adamw[2].shape, (Dims{1009, 61}));
  EXPECT_EQ(adamw[2].tp_cut, TpCut::dim_0);
  EXPECT_EQ(tensors_with("sgd-momentum")[0].fqn, "optimizer.state.embed.weight.momentum");
  const auto unknown = make_model({"tiny", {}, {}, "adam"});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("'adam'"), std::string::npos);
}

TEST(Optimizer, OptimizerStatesAreOfFloatingPointOnly) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/q.safetensors";
  write_tensors(path, {{"n", "I64", {}, 8},
                       {"w", "F32", {64}, 256},
                       {"q", "I32", {64, 64}, 16384},
                       {"mask", "BOOL", {64, 64}, 4096}});
  const auto model = read_model(path);
  ASSERT_TRUE(model) << model.error().message;
  const auto states = optimizer_tensors(*model);
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[0].fqn, "optimizer.state.w.master");
  EXPECT_EQ(num_bytes_with_optimizer(*model), 8 + 256 + 16384 + 4096 + 3 * 256);
}

TEST(Model, SumsPastTwoToThe63AreRefused) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/huge.safetensors";
  const std::int64_t rows = std::int64_t{1} << 60;
  write_tensors(path, {{"a", "F32", {rows}, std::uint64_t{1} << 62}});
  EXPECT_THAT(read_model(path).error().message, HasSubstr("2^63")) << "with its optimizer states";
  write_tensors(path, {{"a", "I32", {rows}, std::uint64_t{1} << 62},
                       {"b", "I32", {rows}, std::uint64_t{1} << 62}});
  EXPECT_THAT(read_model(path).error().message, HasSubstr("2^63"));
  write_tensors(path, {{"a", "I32", {rows}, std::uint64_t{1} << 62}});
  EXPECT_TRUE(read_model(path));
}

TEST(Model, ExpertsOfAnyNumberAreStackedAndNoneVanishes) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/e.safetensors";
  write_tensors(path,
                {{"experts.0.w1", "BF16", {8, 8}, 128}, {"experts.1.w1", "BF16", {8, 8}, 128}});
  const auto first = read_model(path, true);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(first->tensors.size(), 1U);
  EXPECT_EQ(first->tensors[0].fqn, "experts.w1");
  EXPECT_EQ(first->tensors[0].shape, (Dims{2, 8, 8}));

  std::vector<Listed> some;
  for (const char* number : {"7", "3", "5", "4", "6"}) {
    some.push_back({std::string("model.layers.1.shared_experts.mlp.experts.") + number + ".w2",
                    "BF16",
                    {4, 6},
                    48});
  }
  write_tensors(path, some);
  const auto part = read_model(path, true);
  ASSERT_TRUE(part) << part.error().message;
  ASSERT_EQ(part->tensors.size(), 1U);
  EXPECT_EQ(part->tensors[0].fqn, "model.layers.1.shared_experts.mlp.experts.w2");
  EXPECT_EQ(num_bytes(part->tensors), 5 * 48) << "five experts, whatever their numbers";
  const auto apart = read_model(path);
  EXPECT_EQ(apart->tensors.size(), 5U);
  EXPECT_EQ(apart->tensors[0].expert, 4) << "number 7 is the last of five";
  EXPECT_EQ(apart->tensors[0].num_experts, 5);

  write_tensors(path,
                {{"experts.0.w1", "BF16", {8, 8}, 128}, {"experts.1.w1", "BF16", {8, 4}, 64}});
  EXPECT_THAT(read_model(path, true).error().message, HasSubstr("'experts.1.w1'"));
  EXPECT_TRUE(read_model(path)) << "unlike experts need not be stacked";
  write_tensors(path, {{"experts.0.w1", "BF16", {8}, 16}, {"experts.w1", "BF16", {8}, 16}});
  EXPECT_THAT(read_model(path, true).error().message, HasSubstr("name of another tensor"));
}

}  // namespace
}  // namespace shardmark
