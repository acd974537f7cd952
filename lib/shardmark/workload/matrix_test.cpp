// SPDX-License-Identifier: Apache-2.0
// The list of matrices and vectors of an HPC state, and lists that are none.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

namespace shardmark {
namespace {

TEST(Matrix, AListOfMatricesAndVectors) {
  const auto model = make_matrix("20x30,7,1x1");
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->tensors.size(), 3U);
  EXPECT_EQ(model->tensors[0].fqn, "matrix.0");
  EXPECT_EQ(model->tensors[0].shape, (Dims{20, 30}));
  EXPECT_EQ(model->tensors[0].dtype, Dtype::float64);
  EXPECT_EQ(model->tensors[1].fqn, "vector.1");
  EXPECT_EQ(model->tensors[1].shape, (Dims{7}));
  EXPECT_EQ(model->tensors[2].fqn, "matrix.2");
}

TEST(Matrix, RefusesListsThatAreNone) {
  for (const char* sizes :
       {"20x", "x", "", "4,,4", "2x2x2", "-3", "0x4", "99999999999x99999999999"}) {
    const auto model = make_matrix(sizes);
    ASSERT_FALSE(model) << sizes;
    EXPECT_EQ(model.error().code, ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace shardmark
