// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Model make_mixtral(const MixtralShape& shape) {
  const auto [hidden, ffn, kv_size, vocabulary, layers] = shape.base;
  Model model;
  model.num_layers = layers;
  model.kept_extents = {shape.experts};
  const auto add = [&](std::string fqn, const Dims& sizes, TpCut cut, std::int32_t layer) {
    model.tensors.push_back({std::move(fqn), Dtype::bfloat16, sizes, cut, layer});
  };
  add("model.embed_tokens.weight", {vocabulary, hidden}, TpCut::dim_0, -1);
  for (std::int32_t i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    add(layer + "self_attn.q_proj.weight", {hidden, hidden}, TpCut::dim_0, i);
    add(layer + "self_attn.k_proj.weight", {kv_size, hidden}, TpCut::dim_0, i);
    add(layer + "self_attn.v_proj.weight", {kv_size, hidden}, TpCut::dim_0, i);
    add(layer + "self_attn.o_proj.weight", {hidden, hidden}, TpCut::dim_1, i);
    add(layer + "block_sparse_moe.gate.weight", {shape.experts, hidden}, TpCut::none, i);
    for (std::int64_t e = 0; e < shape.experts; ++e) {
      const std::string expert = fmt::format("{}block_sparse_moe.experts.{}.", layer, e);
      add(expert + "w1.weight", {ffn, hidden}, TpCut::dim_0, i);
      add(expert + "w2.weight", {hidden, ffn}, TpCut::dim_1, i);
      add(expert + "w3.weight", {ffn, hidden}, TpCut::dim_0, i);
      mark_expert(model, 3, e, shape.experts);
    }
    add(layer + "input_layernorm.weight", {hidden}, TpCut::none, i);
    add(layer + "post_attention_layernorm.weight", {hidden}, TpCut::none, i);
  }
  add("model.norm.weight", {hidden}, TpCut::none, layers);
  add("lm_head.weight", {vocabulary, hidden}, TpCut::dim_0, layers);
  return model;
}

}  // namespace shardmark
