// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {

inline constexpr std::int64_t no_element = -1;

/// Calls `take(index)` for every element of a tensor, in row-major order.
template <typename Take>
void for_each_index(const Dims& sizes, const Take& take) {
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1},
                                             [](std::int64_t a, std::int64_t b) { return a * b; });
  Dims at = Dims::filled(sizes.ndim(), 0);
  for (std::int64_t i = 0; i < total; ++i) {
    std::int64_t rest = i;
    for (int d = sizes.ndim() - 1; d >= 0; --d) {
      at[d] = rest % sizes[d];
      rest /= sizes[d];
    }
    take(at);
  }
}

inline std::int64_t number_of(const Dims& at, const Dims& sizes) {
  std::int64_t number = 0;
  for (int d = 0; d < sizes.ndim(); ++d) {
    number = number * sizes[d] + at[d];
  }
  return number;
}

/// Local memory of int64 elements in random strides: permuted dimensions, gaps, a shifted start.
class Memory {
 public:
  Memory(shardmark::testing::RandomSource& random, const Dims& sizes) {
    std::vector<int> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random.engine());
    std::int64_t stride = 1 + random.number(3);
    view_.strides = sizes;
    for (const int d : order) {
      view_.strides[d] = stride;
      stride *= std::max<std::int64_t>(1, sizes[d]) + random.number(2);
    }
    const std::int64_t start = random.number(4);
    slots_.assign(static_cast<std::size_t>(start + stride + 1), no_element);
    view_.data = reinterpret_cast<std::byte*>(slots_.data() + start);
    view_.dtype = Dtype::int64;
    view_.sizes = sizes;
  }

  std::int64_t& at(const Dims& index) const {
    std::int64_t offset = 0;
    for (int d = 0; d < index.ndim(); ++d) {
      offset += index[d] * view_.strides[d];
    }
    return reinterpret_cast<std::int64_t*>(view_.data)[offset];
  }
  const TensorView& view() const { return view_; }

 private:
  std::vector<std::int64_t> slots_;
  TensorView view_;
};

/// The boxes and views of one rank paint exactly `held`, each element once and at its own number.
template <typename T>
void expect_painted(const T& tensor, const Dims& sizes, const std::vector<int>& held) {
  std::vector<int> painted(held.size(), 0);
  const Result<std::vector<ChunkStorageMetadata>> chunks = tensor.create_chunk_list();
  const Result<std::vector<WriteItem>> items = tensor.create_write_items("w");
  ASSERT_TRUE(chunks) << chunks.error().message;
  ASSERT_EQ(items->size(), chunks->size());
  for (std::size_t i = 0; i < chunks->size(); ++i) {
    const Box& box = (*chunks)[i];
    ASSERT_EQ((*items)[i].tensor_data.chunk, box);
    ASSERT_EQ((*items)[i].tensor_data.size, sizes);
    const std::optional<std::int64_t> hints[] = {std::nullopt, 0, static_cast<std::int64_t>(i), -3};
    const Result<ConstTensorView> view =
        tensor.get_tensor_shard({"w", box.offsets, hints[i % std::size(hints)]});
    ASSERT_TRUE(view) << view.error().message;
    ASSERT_EQ(view->sizes, box.sizes);
    for_each_index(box.sizes, [&](const Dims& at) {
      Dims global = at;
      std::int64_t offset = 0;
      for (int d = 0; d < at.ndim(); ++d) {
        global[d] += box.offsets[d];
        offset += at[d] * view->strides[d];
      }
      const std::int64_t number = number_of(global, sizes);
      ++painted[static_cast<std::size_t>(number)];
      ASSERT_EQ(reinterpret_cast<const std::int64_t*>(view->data)[offset], number);
    });
  }
  ASSERT_EQ(painted, held);
}

inline std::vector<int> nothing_of(const Dims& sizes) {
  return std::vector<int>(static_cast<std::size_t>(volume(sizes)), 0);
}

}  // namespace shardmark
