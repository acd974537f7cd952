// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Model make_gpt(const GptShape& shape) {
  const auto [hidden, vocabulary, positions, layers] = shape;
  Model model;
  model.num_layers = layers;
  const auto add = [&](std::string fqn, const Dims& sizes, TpCut cut, std::int32_t layer) {
    model.tensors.push_back({std::move(fqn), Dtype::float16, sizes, cut, layer});
  };
  add("wte.weight", {vocabulary, hidden}, TpCut::dim_0, -1);
  add("wpe.weight", {positions, hidden}, TpCut::none, -1);
  for (std::int32_t i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("h.{}.", i);
    add(layer + "ln_1.weight", {hidden}, TpCut::none, i);
    add(layer + "ln_1.bias", {hidden}, TpCut::none, i);
    // Conv1D keeps [in, out]: output features are dimension 1.
    add(layer + "attn.c_attn.weight", {hidden, 3 * hidden}, TpCut::dim_1, i);
    add(layer + "attn.c_attn.bias", {3 * hidden}, TpCut::dim_0, i);
    add(layer + "attn.c_proj.weight", {hidden, hidden}, TpCut::dim_0, i);
    add(layer + "attn.c_proj.bias", {hidden}, TpCut::none, i);
    add(layer + "ln_2.weight", {hidden}, TpCut::none, i);
    add(layer + "ln_2.bias", {hidden}, TpCut::none, i);
    add(layer + "mlp.c_fc.weight", {hidden, 4 * hidden}, TpCut::dim_1, i);
    add(layer + "mlp.c_fc.bias", {4 * hidden}, TpCut::dim_0, i);
    add(layer + "mlp.c_proj.weight", {4 * hidden, hidden}, TpCut::dim_0, i);
    add(layer + "mlp.c_proj.bias", {hidden}, TpCut::none, i);
  }
  add("ln_f.weight", {hidden}, TpCut::none, layers);
  add("ln_f.bias", {hidden}, TpCut::none, layers);
  return model;
}

}  // namespace shardmark
