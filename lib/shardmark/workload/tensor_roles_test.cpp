// SPDX-License-Identifier: Apache-2.0
// Names of published models, and the dimensions that their tensor-parallel plans cut.
// scripts/dev/model_headers_test.py has whole models.
#include "shardmark/workload/tensor_roles.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/safetensors_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace safetensors_test;

struct Published {
  std::string_view fqn;
  Dims shape;
  TpCut cut;
};

TEST(TensorRoles, PublishedNamesAreCutAsTheirPlansSay) {
  for (const auto& [fqn, shape, cut] : std::vector<Published>{
           // OPT
           {"model.decoder.layers.0.fc1.weight", {64, 16}, TpCut::dim_0},
           {"model.decoder.layers.0.fc1.bias", {64}, TpCut::dim_0},
           {"model.decoder.layers.0.fc2.weight", {16, 64}, TpCut::dim_1},
           {"model.decoder.layers.0.fc2.bias", {16}, TpCut::none},
           {"model.decoder.layers.0.self_attn.out_proj.weight", {16, 16}, TpCut::dim_1},
           {"model.decoder.embed_positions.weight", {50, 16}, TpCut::none},
           // Falcon
           {"transformer.h.0.self_attention.query_key_value.weight", {24, 16}, TpCut::dim_0},
           {"transformer.h.0.self_attention.dense.weight", {16, 16}, TpCut::dim_1},
           {"transformer.h.0.mlp.dense_h_to_4h.weight", {64, 16}, TpCut::dim_0},
           {"transformer.h.0.mlp.dense_4h_to_h.weight", {16, 64}, TpCut::dim_1},
           {"transformer.word_embeddings.weight", {99, 16}, TpCut::dim_0},
           {"transformer.ln_f.bias", {16}, TpCut::none},
           // Qwen
           {"model.layers.0.self_attn.q_proj.bias", {16}, TpCut::dim_0},
           {"model.layers.0.self_attn.q_norm.weight", {16}, TpCut::none},
           {"model.layers.0.mlp.experts.3.down_proj.weight", {16, 64}, TpCut::dim_1},
           {"model.layers.0.mlp.shared_expert_gate.weight", {1, 16}, TpCut::none},
           {"transformer.h.0.mlp.w2.weight", {64, 16}, TpCut::dim_0},
           // DeepSeek
           {"model.layers.0.self_attn.q_a_proj.weight", {4, 16}, TpCut::none},
           {"model.layers.0.self_attn.kv_b_proj.weight_scale_inv", {8, 1}, TpCut::dim_0},
           {"model.layers.0.self_attn.o_proj.weight_scale_inv", {1, 8}, TpCut::dim_1},
           {"model.layers.0.mlp.gate.e_score_correction_bias", {8}, TpCut::none},
           {"model.layers.61.shared_head.head.weight", {99, 16}, TpCut::dim_0},
           // gpt-oss
           {"model.layers.0.self_attn.sinks", {8}, TpCut::dim_0},
           {"model.layers.0.mlp.router.weight", {4, 16}, TpCut::none},
           {"model.layers.0.mlp.experts.gate_up_proj", {4, 16, 64}, TpCut::dim_2},
           {"model.layers.0.mlp.experts.gate_up_proj_bias", {4, 64}, TpCut::dim_1},
           {"model.layers.0.mlp.experts.gate_up_proj_blocks", {4, 64, 2, 16}, TpCut::dim_1},
           {"model.layers.0.mlp.experts.gate_up_proj_scales", {4, 64, 2}, TpCut::dim_1},
           {"model.layers.0.mlp.experts.down_proj", {4, 32, 16}, TpCut::dim_1},
           {"model.layers.0.mlp.experts.down_proj_bias", {4, 16}, TpCut::none},
           {"model.layers.0.mlp.experts.down_proj_blocks", {4, 16, 2, 16}, TpCut::dim_2},
           // Llama as TorchTitan has it, experts in one
           {"tok_embeddings.weight", {99, 16}, TpCut::dim_0},
           {"layers.0.attention.wo.weight", {16, 16}, TpCut::dim_1},
           {"layers.0.moe.experts.w2", {4, 16, 64}, TpCut::dim_2},
           {"layers.0.feed_forward.w2.weight", {16, 64}, TpCut::dim_1},
           {"output.weight", {99, 16}, TpCut::dim_0}}) {
    const auto role = tensor_role(fqn, shape);
    ASSERT_TRUE(role) << fqn;
    EXPECT_EQ(role->cut_of(shape, false), cut) << fqn;
    EXPECT_EQ(role->holds_experts, fqn.find("experts.3") == std::string_view::npos &&
                                       fqn.find("experts.") != std::string_view::npos)
        << fqn;
  }
}

TEST(TensorRoles, OtherNamesAreNotGuessed) {
  for (const std::string_view fqn : {"some.weight", "q_projection.weight", "my_q_proj.weight",
                                     "encoder.output.weight", "gates.weight", ""}) {
    EXPECT_FALSE(tensor_role(fqn, {8, 8})) << fqn;
  }
  EXPECT_TRUE(tensor_role("block.norm1.weight", {8}));
  EXPECT_FALSE(tensor_role("block.norm1.linear.weight", {8, 8})) << "no norm, but a matrix of it";
}

TEST(TensorRoles, WeightsOfOneNameLieAsTheModelHasThem) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.safetensors";
  const auto cuts = [&](const std::vector<Listed>& tensors) {
    write_tensors(path, tensors);
    std::vector<TpCut> found;
    const Model model = read_model(path).value();
    std::ranges::transform(model.tensors, std::back_inserter(found), &TensorSpec::tp_cut);
    return found;
  };
  using enum TpCut;
  EXPECT_EQ(cuts({{"h.0.attn.c_attn.weight", "F32", {16, 48}, 3072},
                  {"h.0.attn.c_attn.bias", "F32", {48}, 192},
                  {"h.0.attn.c_proj.weight", "F32", {16, 16}, 1024},
                  {"h.0.attn.c_proj.bias", "F32", {16}, 64}}),
            (std::vector<TpCut>{dim_1, dim_0, dim_0, none}))
      << "GPT-2";
  EXPECT_EQ(cuts({{"h.0.attn.c_attn.weight", "F32", {48, 16}, 3072},
                  {"h.0.attn.c_attn.bias", "F32", {48}, 192},
                  {"h.0.attn.c_proj.weight", "F32", {16, 16}, 1024}}),
            (std::vector<TpCut>{dim_0, dim_0, dim_1}))
      << "Qwen's first generation";
}

TEST(TensorRoles, StackedExpertsAreDealtOut) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.safetensors";
  write_tensors(path, {{"layers.0.mlp.experts.down_proj_blocks", "U8", {6, 16, 2, 16}, 3072},
                       {"layers.0.mlp.experts.down_proj_bias", "BF16", {6, 16}, 192}});
  const Model model = read_model(path).value();
  for (const TensorSpec& tensor : model.tensors) {
    EXPECT_EQ(tensor.num_experts, 6);
    EXPECT_EQ(tensor.expert, -1);
  }
  EXPECT_EQ(model.kept_extents, (std::vector<std::int64_t>{6}));
}

}  // namespace
}  // namespace shardmark
