// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "shardmark/workload/model_families.hpp"

namespace shardmark {
namespace {

class Builder {
 public:
  explicit Builder(const DeepseekShape& shape) : shape_(shape) {
    model.num_layers = shape.layers;
    model.kept_extents = {shape.experts};
  }

  void add(std::string fqn, const Dims& sizes, TpCut cut, std::int32_t layer,
           Dtype dtype = Dtype::bfloat16) {
    model.tensors.push_back({std::move(fqn), dtype, sizes, cut, layer});
  }

  void add_attention(const std::string& attention, std::int32_t i) {
    const std::int64_t query = shape_.heads * (shape_.nope_size + shape_.rope_size);
    const std::int64_t key_value = shape_.heads * (shape_.nope_size + shape_.v_size);
    // The low-rank projections are small and every head needs all of them: not cut.
    add(attention + "q_a_proj.weight", {shape_.q_rank, shape_.hidden}, TpCut::none, i);
    add(attention + "q_a_layernorm.weight", {shape_.q_rank}, TpCut::none, i);
    add(attention + "q_b_proj.weight", {query, shape_.q_rank}, TpCut::dim_0, i);
    add(attention + "kv_a_proj_with_mqa.weight", {shape_.kv_rank + shape_.rope_size, shape_.hidden},
        TpCut::none, i);
    add(attention + "kv_a_layernorm.weight", {shape_.kv_rank}, TpCut::none, i);
    add(attention + "kv_b_proj.weight", {key_value, shape_.kv_rank}, TpCut::dim_0, i);
    add(attention + "o_proj.weight", {shape_.hidden, shape_.heads * shape_.v_size}, TpCut::dim_1,
        i);
  }

  void add_mlp(const std::string& mlp, std::int64_t ffn, std::int32_t i) {
    add(mlp + "gate_proj.weight", {ffn, shape_.hidden}, TpCut::dim_0, i);
    add(mlp + "up_proj.weight", {ffn, shape_.hidden}, TpCut::dim_0, i);
    add(mlp + "down_proj.weight", {shape_.hidden, ffn}, TpCut::dim_1, i);
  }

  void add_experts(const std::string& mlp, std::int32_t i) {
    for (std::int64_t e = 0; e < shape_.experts; ++e) {
      add_mlp(fmt::format("{}experts.{}.", mlp, e), shape_.expert_ffn, i);
      mark_expert(model, 3, e, shape_.experts);
    }
    add(mlp + "gate.weight", {shape_.experts, shape_.hidden}, TpCut::none, i);
    add(mlp + "gate.e_score_correction_bias", {shape_.experts}, TpCut::none, i, Dtype::float32);
    add_mlp(mlp + "shared_experts.", shape_.expert_ffn, i);
  }

  Model model;

 private:
  DeepseekShape shape_;
};

}  // namespace

Model make_deepseek(const DeepseekShape& shape) {
  Builder builder(shape);
  builder.add("model.embed_tokens.weight", {shape.vocabulary, shape.hidden}, TpCut::dim_0, -1);
  for (std::int32_t i = 0; i < shape.layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    builder.add_attention(layer + "self_attn.", i);
    if (i < shape.dense_layers) {
      builder.add_mlp(layer + "mlp.", shape.dense_ffn, i);
    } else {
      builder.add_experts(layer + "mlp.", i);
    }
    builder.add(layer + "input_layernorm.weight", {shape.hidden}, TpCut::none, i);
    builder.add(layer + "post_attention_layernorm.weight", {shape.hidden}, TpCut::none, i);
  }
  builder.add("model.norm.weight", {shape.hidden}, TpCut::none, shape.layers);
  builder.add("lm_head.weight", {shape.vocabulary, shape.hidden}, TpCut::dim_0, shape.layers);
  return std::move(builder.model);
}

}  // namespace shardmark
