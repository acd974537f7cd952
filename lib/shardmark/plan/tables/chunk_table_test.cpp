// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

TensorLayout random_layout(testing::RandomSource& random) {
  const auto mesh_ndim = static_cast<int>(1 + random.number(3));
  const auto ndim = static_cast<int>(random.number(4));
  const Dims shape = random.sizes(mesh_ndim, 1, 5);
  // Any order of mesh dimensions over ranks, and a stride that leaves ranks out.
  std::vector<int> order(shape.size());
  for (int i = 0; i < mesh_ndim; ++i) {
    order[static_cast<std::size_t>(i)] = i;
  }
  std::shuffle(order.begin(), order.end(), random.engine());
  Dims strides = shape;
  std::int64_t stride = 1 + random.number(2);
  for (const int d : order) {
    strides[d] = stride;
    stride *= shape[d] + random.number(2);
  }
  std::vector<Placement> placements;
  for (int m = 0; m < mesh_ndim; ++m) {
    const auto dim = ndim == 0 ? 0 : static_cast<std::int32_t>(random.number(2 * ndim) - ndim);
    const std::int64_t kind = ndim == 0 ? 0 : random.number(4);
    placements.push_back(kind == 0   ? Placement::replicate()
                         : kind == 3 ? Placement::strided_shard(dim, 1 + random.number(5))
                                     : Placement::shard(dim));
  }
  const DeviceMesh mesh = *DeviceMesh::strided(shape, strides, random.number(4));
  return *make_tensor_layout(random.sizes(ndim, 0, 20), Dtype::float32, mesh, placements);
}

TEST(ChunkTable, MixesListedChunksAndLayouts) {
  testing::RandomSource random;
  for (int round = 0; round < 100; ++round) {
    EntryTable entries;
    ChunkTable chunks;
    std::vector<Box> expected;
    for (char name = 'a'; name < 'h'; ++name) {
      const TensorLayout layout = random_layout(random);
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
