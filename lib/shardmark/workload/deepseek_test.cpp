// SPDX-License-Identifier: Apache-2.0
// Shapes of latent attention, experts and gates as published.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

#include "shardmark/workload/catalog_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Deepseek, NamesShapesAndRoles) {
  const Model deepseek = model_of("deepseek-v3");
  const TensorSpec& bias = tensor_of(deepseek, "model.layers.3.mlp.gate.e_score_correction_bias");
  EXPECT_EQ(bias.dtype, Dtype::float32);
  EXPECT_EQ(bias.shape, (Dims{256}));
  EXPECT_EQ(tensor_of(deepseek, "model.layers.60.self_attn.kv_b_proj.weight").shape,
            (Dims{32768, 512}));
  EXPECT_EQ(tensor_of(deepseek, "model.layers.2.mlp.gate_proj.weight").shape, (Dims{18432, 7168}));
}

}  // namespace
}  // namespace shardmark
