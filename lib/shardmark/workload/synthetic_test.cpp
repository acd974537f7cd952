// SPDX-License-Identifier: Apache-2.0
// Models made for one question each: sizes as their documentation says.
#include "shardmark/workload/model_families.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>

namespace shardmark {
namespace {

TEST(Synthetic, ManySmallIsEverySizeFrom4To64KiBEquallyOften) {
  const Model model = make_many_small();
  ASSERT_EQ(model.tensors.size(), 20'000U);
  std::map<std::int64_t, int> times;  // by KiB
  for (const TensorSpec& tensor : model.tensors) {
    const std::int64_t bytes = volume(tensor.shape) * element_size(tensor.dtype);
    ASSERT_EQ(bytes % 1024, 0) << tensor.fqn;
    ++times[bytes / 1024];
  }
  EXPECT_EQ(times.size(), 61U);
  EXPECT_EQ(times.begin()->first, 4);
  EXPECT_EQ(times.rbegin()->first, 64);
  for (const auto& [size, count] : times) {
    EXPECT_GE(count, 20'000 / 61) << size << " KiB";
    EXPECT_LE(count, 20'000 / 61 + 1) << size << " KiB";
  }
}

TEST(Synthetic, SquareLinearIsTwoGiBThatTensorParallelismCutsByColumns) {
  const Model model = make_square_linear();
  EXPECT_EQ(num_bytes(model.tensors), std::int64_t{2} << 30);
  for (const TensorSpec& tensor : model.tensors) {
    EXPECT_EQ(tensor.shape[0], tensor.shape[1]);
    EXPECT_EQ(tensor.tp_cut, TpCut::dim_1);
  }
}

}  // namespace
}  // namespace shardmark
