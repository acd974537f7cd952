// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/layout_test_fixture.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

TEST(ChunkTable, MixesListedChunksAndLayouts) {
  testing::RandomSource random;
  for (int round = 0; round < 100; ++round) {
    EntryTable entries;
    ChunkTable chunks;
    std::vector<Box> expected;
    for (char name = 'a'; name < 'h'; ++name) {
      const TensorLayout layout = testing::random_layout(random);
      Entry entry{std::string(1, name), EntryKind::tensor, layout.dtype, layout.global_sizes,
                  entries.num_chunks()};
      if (const auto grid = ChunkGrid::make(layout); random.one_in(2)) {
        entry.num_chunks = grid->num_chunks();
        for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
          expected.push_back(grid->box(i));
        }
        chunks.append(grid);
      } else if (!whole_box(entry.sizes).empty()) {
        entry.num_chunks = 1;
        expected.push_back(whole_box(entry.sizes));
        chunks.append(expected.back());
      }
      entries.entries.push_back(entry);
    }
    ByteWriter out;
    encode(chunks, entries, out);
    ByteReader in(out.bytes());
    const auto decoded = decode_chunk_table(in, entries);
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(in.at_end());
    ASSERT_EQ(decoded->size(), expected.size());
    for (const Entry& entry : entries.entries) {
      EXPECT_EQ(decoded->grid_of(entry) == nullptr, chunks.grid_of(entry) == nullptr);
      for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
        EXPECT_EQ(decoded->box(entry.first_chunk + i, entry.sizes.ndim()),
                  expected[entry.first_chunk + i]);
      }
    }
  }
}

}  // namespace
}  // namespace shardmark
