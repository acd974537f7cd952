// SPDX-License-Identifier: Apache-2.0
// What HDF5 gathers from strided memory, against a walk over it.
#include "shardmark/storage/hdf5/library/selection.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {
namespace {

/// Elements of a view of numbers in its row-major order, by hand.
std::vector<std::int32_t> walked(const std::vector<std::int32_t>& memory, const Dims& sizes,
                                 const Dims& strides) {
  std::vector<std::int32_t> elements;
  for (std::int64_t i = 0; i < volume(sizes); ++i) {
    std::int64_t rest = i;
    std::int64_t place = 0;
    for (int d = sizes.ndim() - 1; d >= 0; --d) {
      place += rest % sizes[d] * strides[d];
      rest /= sizes[d];
    }
    elements.push_back(memory[static_cast<std::size_t>(place)]);
  }
  return elements;
}

std::vector<std::int32_t> gathered(const std::vector<std::int32_t>& memory, const H5Space& space,
                                   std::int64_t count) {
  std::vector<std::int32_t> elements(static_cast<std::size_t>(count));
  EXPECT_EQ(H5Sget_select_npoints(space.get()), count);
  EXPECT_GE(H5Dgather(space.get(), memory.data(), H5T_NATIVE_INT32,
                      elements.size() * sizeof(std::int32_t), elements.data(), nullptr, nullptr),
            0);
  return elements;
}

TEST(MemorySelection, SeesStridedMemoryAsItLies) {
  ASSERT_TRUE(prepare_hdf5());
  std::vector<std::int32_t> memory(1000);
  std::iota(memory.begin(), memory.end(), 0);
  struct View {
    Dims sizes, strides;
  };
  for (const View& view :
       {View{{}, {}}, View{{7}, {1}}, View{{4, 5}, {5, 1}}, View{{4, 3}, {10, 1}},
        View{{2, 3, 4}, {60, 10, 1}}, View{{3, 1, 4}, {8, 999, 1}},  // one element long: any stride
        View{{1, 1}, {7, 3}}, View{{2, 2, 2}, {100, 20, 1}}}) {
    const auto space = memory_selection(view.sizes, view.strides);
    ASSERT_TRUE(space) << to_string(view.sizes) << " by " << to_string(view.strides);
    EXPECT_EQ(gathered(memory, *space, volume(view.sizes)),
              walked(memory, view.sizes, view.strides));
  }
}

TEST(MemorySelection, IsNothingWhereNoSelectionSaysIt) {
  ASSERT_TRUE(prepare_hdf5());
  EXPECT_FALSE(memory_selection({4, 5}, {1, 4})) << "transposed";
  EXPECT_FALSE(memory_selection({5}, {2})) << "every second element";
  EXPECT_FALSE(memory_selection({2, 2, 3}, {7, 3, 1})) << "7 rows make no whole rows of 3";
  EXPECT_FALSE(memory_selection({2, 5}, {3, 1})) << "rows that overlap";
  EXPECT_EQ(H5Sget_select_npoints(empty_memory_selection()->get()), 0);
}

}  // namespace
}  // namespace shardmark
