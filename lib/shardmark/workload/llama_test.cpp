// SPDX-License-Identifier: Apache-2.0
// Names, shapes and roles of a published Llama.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

#include "shardmark/workload/catalog_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Llama, NamesShapesAndRoles) {
  const Model llama = model_of("llama3-70b");
  EXPECT_EQ(llama.tensors.front().fqn, "model.embed_tokens.weight");
  EXPECT_EQ(llama.tensors.back().fqn, "lm_head.weight");
  EXPECT_EQ(llama.tensors.back().layer, 80);
  const TensorSpec& key = tensor_of(llama, "model.layers.79.self_attn.k_proj.weight");
  EXPECT_EQ(key.shape, (Dims{1024, 8192}));
  EXPECT_EQ(key.tp_cut, TpCut::dim_0);
  EXPECT_EQ(key.layer, 79);
  EXPECT_EQ(tensor_of(llama, "model.layers.0.mlp.down_proj.weight").tp_cut, TpCut::dim_1);
  EXPECT_EQ(tensor_of(llama, "model.norm.weight").tp_cut, TpCut::none);
}

}  // namespace
}  // namespace shardmark
