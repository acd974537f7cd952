// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Model make_many_small() {
  constexpr int tensors = 20'000;
  Model model;
  for (int i = 0; i < tensors; ++i) {
    const std::int64_t rows = 4 + i * 37 % 61;  // of 1 KiB: 4 to 64 KiB, every size equally often
    model.tensors.push_back(
        {fmt::format("small.{:05}.weight", i), Dtype::float32, {rows, 256}, TpCut::dim_0, -1});
  }
  return model;
}

Model make_square_linear() {
  constexpr int tensors = 128;
  Model model;
  for (int i = 0; i < tensors; ++i) {
    model.tensors.push_back(
        {fmt::format("linear.{:03}.weight", i), Dtype::float32, {2048, 2048}, TpCut::dim_1, -1});
  }
  return model;
}

}  // namespace shardmark
