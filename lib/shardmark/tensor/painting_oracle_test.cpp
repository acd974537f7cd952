// SPDX-License-Identifier: Apache-2.0
// Every sharded type against a painter: who holds which element, found element by element from the
// definition of each distribution, over 2,000 random layouts of each type. The painter also lays
// out local memory: every slot holds the global number of its element, so a box whose view reads
// another place is found.
#include <gtest/gtest.h>

#include <numeric>

#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/tensor/ragged_shard.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"
#include "shardmark/testing/painting_test_fixture.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;

constexpr int num_layouts = 2000;

TEST(PaintingOracle, FlatShard) {
  RandomSource random;
  for (int layout = 0; layout < num_layouts && !HasFailure(); ++layout) {
    // Tensors one after another, of some only a window, dealt by hand to ranks in equal pieces.
    const std::size_t count = 1 + random.index(4);
    std::vector<FlatPosition> positions(count);
    std::int64_t total = 0;
    for (FlatPosition& position : positions) {
      position.global_sizes = random.sizes(static_cast<int>(random.number(5)), 0, 5);
      position.dtype = Dtype::int64;
      position.window = whole_box(position.global_sizes);
      for (int d = 0; d < position.window.ndim() && random.one_in(2); ++d) {
        position.window.offsets[d] = random.number(position.global_sizes[d] + 1);
        position.window.sizes[d] =
            random.number(position.global_sizes[d] - position.window.offsets[d] + 1);
      }
      position.begin = total;
      total += position.window.num_elements();
    }
    const std::int64_t parts = 1 + random.number(7);
    const std::int64_t piece = (total + parts - 1) / parts;
    for (std::int64_t rank = 0; rank < parts; ++rank) {
      const FlatRange range = flat_part(total, parts, rank);
      const Memory memory(random, {range.size()});
      for (FlatPosition& position : positions) {
        position.held = range;
        std::vector<int> held = nothing_of(position.global_sizes);
        std::int64_t flat = position.begin;
        for_each_index(position.window.sizes, [&](const Dims& at) {
          if (piece > 0 && flat / piece == rank) {
            Dims global = at;
            for (int d = 0; d < at.ndim(); ++d) {
              global[d] += position.window.offsets[d];
            }
            const std::int64_t number = number_of(global, position.global_sizes);
            held[static_cast<std::size_t>(number)] = 1;
            memory.at({flat - rank * piece}) = number;
          }
          ++flat;
        });
        const auto tensor = FlatShard::from_buffer(memory.view(), position);
        ASSERT_TRUE(tensor) << tensor.error().message;
        expect_painted(*tensor, position.global_sizes, held);
        EXPECT_LE(static_cast<int>(tensor->create_chunk_list().size()),
                  std::max(1, 2 * position.global_sizes.ndim() - 1));
      }
    }
  }
}

TEST(PaintingOracle, RaggedShard) {
  RandomSource random;
  for (int layout = 0; layout < num_layouts && !HasFailure(); ++layout) {
    const Dims sizes = random.sizes(1 + static_cast<int>(random.number(4)), 0, 6);
    const int leading = 1 + static_cast<int>(random.number(sizes.ndim()));
    std::vector<std::int64_t> units(1 + random.index(6));
    for (std::int64_t& unit : units) {
      unit = random.number(5);
    }
    units[random.index(units.size())] += 1;
    std::vector<std::int64_t> owner_of_unit;
    for (std::size_t rank = 0; rank < units.size(); ++rank) {
      owner_of_unit.insert(owner_of_unit.end(), static_cast<std::size_t>(units[rank]),
                           static_cast<std::int64_t>(rank));
    }
    Dims rows = Dims::filled(leading, 0);
    std::copy_n(sizes.begin(), leading, rows.begin());
    const auto pieces = static_cast<std::int64_t>(owner_of_unit.size());
    const std::int64_t unit_rows = (volume(rows) + pieces - 1) / pieces;
    for (std::size_t rank = 0; rank < units.size(); ++rank) {
      const auto range =
          RaggedShard::held_range(sizes, units, static_cast<std::int64_t>(rank),
                                  random.one_in(2) && leading == sizes.ndim() ? -1 : leading);
      ASSERT_TRUE(range) << range.error().message;
      const Memory memory(random, {range->size()});
      std::vector<int> held = nothing_of(sizes);
      std::int64_t local = 0;
      for_each_index(sizes, [&](const Dims& at) {
        Dims row = rows;
        std::copy_n(at.begin(), leading, row.begin());
        const auto unit = static_cast<std::size_t>(number_of(row, rows) / unit_rows);
        if (owner_of_unit[unit] == static_cast<std::int64_t>(rank)) {
          held[static_cast<std::size_t>(number_of(at, sizes))] = 1;
          ASSERT_LT(local, range->size());
          memory.at({local++}) = number_of(at, sizes);
        }
      });
      const auto tensor = RaggedShard::from_buffer(memory.view(), sizes, *range);
      ASSERT_TRUE(tensor) << tensor.error().message;
      expect_painted(*tensor, sizes, held);
    }
  }
}

TEST(PaintingOracle, BlockCyclic) {
  RandomSource random;
  for (int layout = 0; layout < num_layouts && !HasFailure(); ++layout) {
    BlockCyclicLayout cyclic;
    cyclic.global_sizes = random.sizes(static_cast<int>(random.number(4)), 0, 11);
    cyclic.dtype = Dtype::int64;
    const Dims grid = random.sizes(1 + static_cast<int>(random.number(2)), 1, 3);
    cyclic.grid = DeviceMesh::row_major(grid).value();
    const int ndim = cyclic.global_sizes.ndim();
    cyclic.block_sizes = random.sizes(ndim, 1, 4);
    cyclic.grid_dims = Dims::filled(ndim, -1);
    cyclic.source = Dims::filled(ndim, 0);
    const bool swapped = random.one_in(2);
    for (int g = 0; g < std::min(grid.ndim(), ndim) && !random.one_in(5); ++g) {
      const int d = swapped ? ndim - 1 - g : g;
      cyclic.grid_dims[d] = g;
      cyclic.source[d] = random.number(grid[g]);
    }
    for (std::int64_t rank = 0; rank <= cyclic.grid.size(); ++rank) {  // one rank outside
      const Dims local = BlockCyclic::local_sizes(cyclic, rank);
      const Memory memory(random, local);
      std::vector<int> held = nothing_of(cyclic.global_sizes);
      const bool inside = rank < cyclic.grid.size();
      const std::int64_t coordinate[] = {grid.ndim() == 1 ? rank : rank / grid[1],
                                         grid.ndim() == 1 ? 0 : rank % grid[1]};
      // Whether process `rank` owns index i of dimension d, dealing block after block.
      const auto owns = [&](int d, std::int64_t i) {
        const auto g = cyclic.grid_dims[d];
        return g < 0 ||
               (i / cyclic.block_sizes[d] + cyclic.source[d]) % grid[static_cast<int>(g)] ==
                   coordinate[g];
      };
      for_each_index(cyclic.global_sizes, [&](const Dims& at) {
        Dims slot = at;
        for (int d = 0; d < ndim; ++d) {
          if (!inside || !owns(d, at[d])) {
            return;
          }
          slot[d] = 0;
          for (std::int64_t i = 0; i < at[d]; ++i) {
            slot[d] += owns(d, i) ? 1 : 0;
          }
        }
        if (!inside) {
          return;
        }
        const std::int64_t number = number_of(at, cyclic.global_sizes);
        held[static_cast<std::size_t>(number)] = 1;
        memory.at(slot) = number;
      });
      const auto tensor = BlockCyclic::from_local(memory.view(), cyclic, rank);
      ASSERT_TRUE(tensor) << tensor.error().message;
      expect_painted(*tensor, cyclic.global_sizes, held);
    }
  }
}

TEST(PaintingOracle, ShardedTensor) {
  RandomSource random;
  for (int layout = 0; layout < num_layouts && !HasFailure(); ++layout) {
    const Dims sizes = random.sizes(static_cast<int>(random.number(5)), 1, 6);
    std::vector<Box> tiles = random.tiling(sizes, 4);
    std::shuffle(tiles.begin(), tiles.end(), random.engine());
    const std::int64_t ranks = 1 + random.number(5);
    std::vector<OwnedBox> owned;
    std::vector<std::int64_t> owner(static_cast<std::size_t>(volume(sizes)), no_element);
    for (const Box& tile : tiles) {
      owned.push_back({tile, random.number(ranks)});
      for_each_index(tile.sizes, [&](Dims at) {
        for (int d = 0; d < at.ndim(); ++d) {
          at[d] += tile.offsets[d];
        }
        owner[static_cast<std::size_t>(number_of(at, sizes))] = owned.back().rank;
      });
    }
    const auto spec = ShardingSpec::make(sizes, owned);
    ASSERT_TRUE(spec) << spec.error().message;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      std::vector<int> held = nothing_of(sizes);
      for (std::size_t i = 0; i < held.size(); ++i) {
        held[i] = owner[i] == rank ? 1 : 0;
      }
      std::vector<Memory> memories;
      std::vector<TensorView> views;
      for (const OwnedBox& mine : owned) {
        if (mine.rank != rank) {
          continue;
        }
        memories.emplace_back(random, mine.box.sizes);
        for_each_index(mine.box.sizes, [&](const Dims& at) {
          Dims global = at;
          for (int d = 0; d < at.ndim(); ++d) {
            global[d] += mine.box.offsets[d];
          }
          memories.back().at(at) = number_of(global, sizes);
        });
        views.push_back(memories.back().view());
      }
      const auto tensor = ShardedTensor::from_local(views, Dtype::int64, *spec, rank);
      ASSERT_TRUE(tensor) << tensor.error().message;
      expect_painted(*tensor, sizes, held);
    }
  }
}

/// The indices of one dimension that a coordinate holds, placement by placement, as a list.
std::vector<std::int64_t> held_indices(std::int64_t extent, int dim, const TensorLayout& layout,
                                       const Dims& coordinate) {
  std::vector<std::int64_t> held(static_cast<std::size_t>(extent));
  std::iota(held.begin(), held.end(), 0);
  for (int m = 0; m < layout.mesh.ndim(); ++m) {
    const Placement& placement = layout.placements()[static_cast<std::size_t>(m)];
    if (placement.kind == PlacementKind::replicate || placement.dim != dim) {
      continue;
    }
    const auto cut = [](std::int64_t n, std::int64_t parts, std::int64_t part) {
      const std::int64_t size = (n + parts - 1) / parts;
      const std::int64_t begin = std::min(size * part, n);
      return std::pair(begin, std::min(size, n - begin));
    };
    std::vector<std::int64_t> next;
    for (std::int64_t piece = 0; piece < placement.split_factor; ++piece) {
      const auto [begin, size] =
          cut(static_cast<std::int64_t>(held.size()), placement.split_factor, piece);
      const auto [from, count] = cut(size, layout.mesh.shape()[m], coordinate[m]);
      next.insert(next.end(), held.begin() + begin + from, held.begin() + begin + from + count);
    }
    held = next;
  }
  return held;
}

/// Paints a layout of placements: memory and what is held.
std::vector<int> paint_layout(const TensorLayout& layout, std::int64_t rank, const Memory& memory) {
  const Dims& sizes = layout.global_sizes;
  std::vector<int> held = nothing_of(sizes);
  const auto coordinate = layout.mesh.coordinate(rank);
  if (!coordinate) {
    return held;
  }
  std::vector<std::vector<std::int64_t>> indices;
  Dims local = sizes;
  for (int d = 0; d < sizes.ndim(); ++d) {
    indices.push_back(held_indices(sizes[d], d, layout, *coordinate));
    local[d] = static_cast<std::int64_t>(indices.back().size());
  }
  for_each_index(local, [&](const Dims& at) {
    Dims global = at;
    for (int d = 0; d < at.ndim(); ++d) {
      global[d] = indices[static_cast<std::size_t>(d)][static_cast<std::size_t>(at[d])];
    }
    held[static_cast<std::size_t>(number_of(global, sizes))] = 1;
    memory.at(at) = number_of(global, sizes);
  });
  return held;
}

TEST(PaintingOracle, DTensor) {
  RandomSource random;
  for (int layout = 0; layout < num_layouts && !HasFailure(); ++layout) {
    const Dims sizes = random.sizes(static_cast<int>(random.number(4)), 0, 12);
    const DeviceMesh mesh =
        DeviceMesh::row_major(random.sizes(1 + static_cast<int>(random.number(3)), 1, 3)).value();
    std::vector<Placement> placements;
    for (int m = 0; m < mesh.ndim(); ++m) {
      if (sizes.ndim() == 0 || random.one_in(4)) {
        placements.push_back(Placement::replicate());
      } else {
        const auto dim = static_cast<std::int32_t>(random.number(sizes.ndim()));
        placements.push_back(random.one_in(3) ? Placement::strided_shard(dim, 1 + random.number(4))
                                              : Placement::shard(dim));
      }
    }
    const auto made = make_tensor_layout(sizes, Dtype::int64, mesh, placements);
    ASSERT_TRUE(made) << made.error().message;
    for (std::int64_t rank = 0; rank <= mesh.size(); ++rank) {
      const Memory memory(random, DTensor::local_sizes(*made, rank).value());
      const std::vector<int> held = paint_layout(*made, rank, memory);
      const auto tensor = DTensor::from_local(memory.view(), *made, rank);
      ASSERT_TRUE(tensor) << tensor.error().message;
      expect_painted(*tensor, sizes, held);
    }
  }
}

TEST(PaintingOracle, GroupedExperts) {
  RandomSource random;
  for (int layout = 0; layout < num_layouts && !HasFailure(); ++layout) {
    const Dims sizes = random.sizes(2 + static_cast<int>(random.number(2)), 1, 6);
    const std::int64_t ep = 1 + random.number(4);
    const std::int64_t inner = 1 + random.number(3);
    const bool first = random.one_in(2);
    const DeviceMesh mesh =
        DeviceMesh::row_major(first ? Dims{ep, inner} : Dims{inner, ep}).value();
    const Placement within = random.one_in(3) ? Placement::replicate() : Placement::shard(1);
    const std::vector<Placement> placements =
        first ? std::vector{Placement::shard(0), within} : std::vector{within, Placement::shard(0)};
    const TensorLayout stacked = make_tensor_layout(sizes, Dtype::int64, mesh, placements).value();
    const std::int64_t per_expert = volume(sizes) / sizes[0];
    for (std::int64_t rank = 0; rank <= mesh.size(); ++rank) {
      const Memory memory(random, DTensor::local_sizes(stacked, rank).value());
      const std::vector<int> held = paint_layout(stacked, rank, memory);
      const auto tensor = GroupedExperts::from_local(memory.view(), stacked, rank);
      ASSERT_TRUE(tensor) << tensor.error().message;
      expect_painted(*tensor, sizes, held);
      // Expert by expert: the same elements under numbers of their own.
      for (std::int64_t e = 0; e < sizes[0]; ++e) {
        const auto expert = tensor->expert(e);
        ASSERT_TRUE(expert) << expert.error().message;
        const auto begin = held.begin() + e * per_expert;
        std::vector<int> slice(begin, begin + per_expert);
        std::int64_t painted = 0;
        for (const Box& box : expert->create_chunk_list().value()) {
          if (box.empty()) {
            continue;
          }
          const ConstTensorView view =
              std::as_const(*expert).get_tensor_shard({"e", box.offsets, {}}).value();
          for_each_index(box.sizes, [&](const Dims& at) {
            Dims global = at;
            std::int64_t offset = 0;
            for (int d = 0; d < at.ndim(); ++d) {
              global[d] += box.offsets[d];
              offset += at[d] * view.strides[d];
            }
            const std::int64_t number = number_of(global, expert->layout().global_sizes);
            ++painted;
            EXPECT_EQ(slice[static_cast<std::size_t>(number)], 1);
            EXPECT_EQ(reinterpret_cast<const std::int64_t*>(view.data)[offset],
                      e * per_expert + number);
          });
        }
        EXPECT_EQ(painted, std::count(slice.begin(), slice.end(), 1));
      }
    }
  }
}

}  // namespace
}  // namespace shardmark
