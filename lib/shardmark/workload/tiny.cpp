// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Model make_tiny() {
  constexpr std::int32_t layers = 2;
  Model model;
  model.num_layers = layers;
  const auto add = [&](std::string fqn, Dtype dtype, const Dims& sizes, TpCut cut,
                       std::int32_t layer) {
    model.tensors.push_back({std::move(fqn), dtype, sizes, cut, layer});
  };
  add("embed.weight", Dtype::bfloat16, {1009, 61}, TpCut::dim_0, -1);
  add("scalar", Dtype::float32, {}, TpCut::none, -1);
  add("scalar.steps", Dtype::int64, {}, TpCut::none, -1);
  add("one", Dtype::uint8, {1}, TpCut::none, -1);
  add("one.deep", Dtype::float64, {1, 1, 1}, TpCut::dim_0, -1);
  add("empty", Dtype::float32, {0}, TpCut::none, -1);
  add("empty.rows", Dtype::bfloat16, {0, 7}, TpCut::dim_1, -1);
  add("empty.columns", Dtype::int32, {5, 0}, TpCut::none, -1);

  add("layers.0.up.weight", Dtype::float16, {211, 61}, TpCut::dim_0, 0);
  add("layers.0.up.bias", Dtype::float16, {211}, TpCut::dim_0, 0);
  add("layers.0.down.weight", Dtype::float64, {61, 211}, TpCut::dim_1, 0);
  add("layers.0.down.bias", Dtype::float64, {61}, TpCut::none, 0);
  add("layers.0.codes", Dtype::int32, {127, 31}, TpCut::dim_0, 0);
  add("layers.0.conv3d.weight", Dtype::int8, {3, 5, 2, 7, 4}, TpCut::dim_1, 0);
  add("layers.0.mask", Dtype::bool_, {17, 19}, TpCut::none, 0);

  add("layers.1.up.weight", Dtype::float8_e4m3fn, {257, 61}, TpCut::dim_0, 1);
  add("layers.1.up.scale", Dtype::float32, {257, 1}, TpCut::dim_0, 1);
  add("layers.1.down.weight", Dtype::float8_e5m2, {61, 257}, TpCut::dim_1, 1);
  add("layers.1.table", Dtype::int16, {13, 64, 3}, TpCut::none, 1);
  add("layers.1.order", Dtype::int64, {101}, TpCut::none, 1);
  add("layers.1.eight", Dtype::uint8, {2, 1, 3, 1, 2, 1, 5, 2}, TpCut::none, 1);

  // Names that file formats, shells and printf stumble over.
  add("with/slash.weight", Dtype::float32, {7, 11}, TpCut::none, layers);
  add("with%20percent %s", Dtype::bfloat16, {12, 12}, TpCut::none, layers);
  add("gr\xC3\xB6\xC3\x9F"
      "e.\xE9\x87\x8D\xE3\x81\xBF.\xF0\x9F\xA7\xA9",
      Dtype::float16, {3, 3}, TpCut::none, layers);
  add(".", Dtype::int16, {2}, TpCut::none, layers);
  add("norm.weight", Dtype::bfloat16, {61}, TpCut::none, layers);
  add("head.weight", Dtype::bfloat16, {1009, 61}, TpCut::dim_0, layers);
  return model;
}

}  // namespace shardmark
