// SPDX-License-Identifier: Apache-2.0
// Runs of many boxes against every element by itself.
#include "shardmark/storage/raw/transfer_runs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;

/// Slabs of one tensor in one file, each with memory of its own, half of it transposed.
struct Slabs {
  std::vector<std::vector<std::byte>> memory;
  std::vector<RawTransfer<const std::byte>> transfers;
};

Slabs random_slabs(RandomSource& random, const Dims& tensor) {
  Slabs slabs;
  const int along = static_cast<int>(random.number(2));
  slabs.memory.reserve(static_cast<std::size_t>(tensor[along]));  // views must stay
  for (std::int64_t at = 0; at < tensor[along];) {
    Box box = whole_box(tensor);
    box.offsets[along] = at;
    box.sizes[along] = std::min(tensor[along] - at, 1 + random.number(tensor[along]));
    at += box.sizes[along];
    slabs.memory.emplace_back(static_cast<std::size_t>(2 * box.num_elements()));
    ConstTensorView view =
        contiguous_view<const std::byte>(slabs.memory.back().data(), Dtype::int16, box.sizes);
    if (random.one_in(2)) {
      view.strides = {1, box.sizes[0]};
    }
    slabs.transfers.push_back({{0, 100, {0, 0}, tensor}, box, view});
  }
  return slabs;
}

TEST(TransferRuns, CoverEveryElementOnceUpwardsInTheFile) {
  RandomSource random;
  for (int round = 0; round < 200; ++round) {
    const Dims tensor{1 + random.number(12), 1 + random.number(12)};
    const Slabs slabs = random_slabs(random, tensor);
    const auto& transfers = slabs.transfers;
    const std::int64_t most = 1 + random.number(30);
    // By place in the file: which byte of memory belongs there.
    std::vector<const std::byte*> expected(static_cast<std::size_t>(2 * volume(tensor)));
    for (const auto& transfer : transfers) {
      for (std::int64_t i = 0; i < transfer.box.sizes[0]; ++i) {
        for (std::int64_t j = 0; j < transfer.box.sizes[1]; ++j) {
          const std::int64_t place =
              (transfer.box.offsets[0] + i) * tensor[1] + transfer.box.offsets[1] + j;
          const std::byte* const element =
              transfer.elements.data +
              2 * (i * transfer.elements.strides[0] + j * transfer.elements.strides[1]);
          expected[static_cast<std::size_t>(2 * place)] = element;
          expected[static_cast<std::size_t>(2 * place + 1)] = element + 1;
        }
      }
    }
    std::int64_t end = 100;
    std::vector<int> last(transfers.size());
    for (TransferRuns<const std::byte> runs(transfers); !runs.done();) {
      const RawRun<const std::byte> run = runs.take(most);
      ASSERT_EQ(run.offset, end) << "the slabs leave no gap, so runs follow each other";
      ASSERT_GT(run.num_bytes, 0);
      ASSERT_LE(run.num_bytes, std::max<std::int64_t>(2, most));
      for (std::int64_t byte = 0; byte < run.num_bytes; ++byte) {
        ASSERT_EQ(run.data + byte, expected[static_cast<std::size_t>(end - 100 + byte)]);
      }
      end += run.num_bytes;
      last[run.transfer] += run.last ? 1 : 0;
    }
    EXPECT_EQ(end, 100 + 2 * volume(tensor));
    EXPECT_TRUE(std::ranges::all_of(last, [](int times) { return times == 1; }));
  }
}

TEST(TransferRuns, GoFileByFileAndPassEmptyBoxes) {
  const std::vector<std::byte> memory(8);
  const ConstTensorView four = contiguous_view<const std::byte>(memory.data(), Dtype::int8, {4});
  const ConstTensorView none = contiguous_view<const std::byte>(memory.data(), Dtype::int8, {0});
  const std::vector<RawTransfer<const std::byte>> transfers = {
      {{1, 50, {0}, {4}}, {{0}, {4}}, four},
      {{0, 90, {0}, {4}}, {{2}, {0}}, none},
      {{0, 70, {0}, {4}}, {{0}, {4}}, four}};
  TransferRuns<const std::byte> runs(transfers);
  const auto first = runs.take(100);
  EXPECT_EQ(std::pair(first.file, first.offset), (std::pair<std::uint64_t, std::int64_t>{0, 70}));
  const auto second = runs.take(100);
  EXPECT_EQ(std::pair(second.file, second.offset), (std::pair<std::uint64_t, std::int64_t>{1, 50}));
  EXPECT_TRUE(runs.done());
}

}  // namespace
}  // namespace shardmark
