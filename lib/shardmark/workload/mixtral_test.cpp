// SPDX-License-Identifier: Apache-2.0
// Shapes of the experts as published.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

#include "shardmark/workload/catalog_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Mixtral, NamesShapesAndRoles) {
  const Model mixtral = model_of("mixtral-8x7b");
  EXPECT_EQ(tensor_of(mixtral, "model.layers.31.block_sparse_moe.experts.7.w2.weight").shape,
            (Dims{4096, 14336}));
  EXPECT_EQ(tensor_of(mixtral, "model.layers.0.block_sparse_moe.gate.weight").shape,
            (Dims{8, 4096}));
}

}  // namespace
}  // namespace shardmark
