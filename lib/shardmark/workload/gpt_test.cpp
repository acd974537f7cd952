// SPDX-License-Identifier: Apache-2.0
// Fused projections lie as in GPT-2: inputs before outputs.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

#include "shardmark/workload/catalog_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Gpt, NamesShapesAndRoles) {
  const Model gpt = model_of("gpt3-175b");
  EXPECT_EQ(tensor_of(gpt, "h.95.attn.c_attn.weight").shape, (Dims{12288, 36864}));
  EXPECT_EQ(tensor_of(gpt, "wpe.weight").shape, (Dims{2048, 12288}));
}

}  // namespace
}  // namespace shardmark
