// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/entry_chunks.hpp"

#include <gtest/gtest.h>

#include <map>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

TEST(EntryChunks, AreFoundAsInAMapWhateverTheirOrder) {
  testing::RandomSource random;
  for (int round = 0; round < 100; ++round) {
    const auto ndim = static_cast<int>(random.number(4));
    const std::int64_t range = 1 + random.number(12);
    const bool ascending = random.one_in(3);
    EntryChunks chunks(ndim);
    std::map<std::vector<std::int64_t>, std::uint32_t> known;
    std::int64_t next = 0;
    for (int i = 0; i < 300; ++i) {
      std::vector<std::int64_t> box(2 * static_cast<std::size_t>(ndim), 1);
      for (std::size_t d = 0; d < static_cast<std::size_t>(ndim); ++d) {
        box[d] = ascending && d == 0 ? next++ : random.number(range);
      }
      const std::vector<std::int64_t> offsets(box.begin(), box.begin() + ndim);
      const auto [at, added] = known.try_emplace(offsets, static_cast<std::uint32_t>(known.size()));
      EXPECT_EQ(chunks.find_or_add(box.data()), at->second);
      ASSERT_EQ(chunks.size(), known.size());
    }
    const std::vector<std::uint32_t> order = chunks.order_of_offsets();
    std::uint32_t place = 0;
    for (const auto& [offsets, number] : known) {
      EXPECT_EQ(order.empty() ? place : order[place], number);
      const Box box = chunks.box(number);
      EXPECT_TRUE(std::equal(box.offsets.begin(), box.offsets.end(), offsets.begin()));
      ++place;
    }
  }
}

}  // namespace
}  // namespace shardmark
