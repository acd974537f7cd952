// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/tensor/ragged_shard.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"
#include "shardmark/testing/conformance.hpp"

namespace shardmark::testing {

/// A tensor with the memory that it views.
template <typename T>
struct Held {
  std::vector<std::byte> memory;
  std::optional<T> tensor;
};

/// Memory for a local tensor of `sizes`, first dimension fastest and with gaps: no view of it is
/// contiguous.
inline TensorView strided_memory(std::vector<std::byte>& memory, Dtype dtype, const Dims& sizes) {
  TensorView view{nullptr, dtype, sizes, sizes};
  std::int64_t stride = 2;
  for (int d = 0; d < sizes.ndim(); ++d) {
    view.strides[d] = stride;
    stride *= std::max<std::int64_t>(1, sizes[d]);
  }
  memory.resize(static_cast<std::size_t>((stride + 8) * element_size(dtype)));
  view.data = memory.data() + 8;
  return view;
}

/// `make(memory)` gives a T over memory that `memory` owns.
template <typename T, typename Make>
Result<TensorUnderTest> held(const Make& make) {
  auto holder = std::make_shared<Held<T>>();
  auto tensor = make(holder->memory);
  if (!tensor) {
    return tensor.error();
  }
  holder->tensor.emplace(std::move(*tensor));
  return TensorUnderTest(std::shared_ptr<T>(holder, &*holder->tensor));
}

struct OwnType {
  std::string name;
  MakeTensor make;
};

/// A mesh of all ranks or, `sub`, without rank 0 where there are others.
inline DeviceMesh line_mesh(std::int64_t world, bool sub) {
  return sub && world > 1 ? *DeviceMesh::strided({world - 1}, {1}, 1)
                          : *DeviceMesh::row_major({world});
}

inline MakeTensor dtensor_maker(Dims sizes, Dtype dtype, std::string placements, bool sub) {
  return [=](std::int64_t rank, std::int64_t world) {
    return held<DTensor>([&](std::vector<std::byte>& memory) -> Result<DTensor> {
      SHARDMARK_ASSIGN_OR_RETURN(const auto parsed, parse_placements(placements));
      SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout,
                                 make_tensor_layout(sizes, dtype, line_mesh(world, sub), parsed));
      SHARDMARK_ASSIGN_OR_RETURN(const Dims local, DTensor::local_sizes(layout, rank));
      return DTensor::from_local(strided_memory(memory, dtype, local), layout, rank);
    });
  };
}

inline Result<TensorUnderTest> make_sharded(std::int64_t rank, std::int64_t world) {
  return held<ShardedTensor>([&](std::vector<std::byte>& memory) -> Result<ShardedTensor> {
    // Columns dealt out from the last rank down, two boxes each; rank 0 of many has none.
    std::vector<OwnedBox> boxes;
    for (std::int64_t column = 0; column < 12; ++column) {
      const std::int64_t owner = world - 1 - column % std::max<std::int64_t>(1, world - 1);
      boxes.push_back({{{0, column}, {2, 1}}, owner});
      boxes.push_back({{{2, column}, {3, 1}}, owner});
    }
    SHARDMARK_ASSIGN_OR_RETURN(const ShardingSpec spec, ShardingSpec::make({5, 12}, boxes));
    const std::vector<Box> mine = spec.boxes_of(rank);
    memory.resize(mine.size() * 16);
    std::vector<TensorView> views;
    for (std::size_t i = 0; i < mine.size(); ++i) {
      views.push_back(contiguous_view(memory.data() + 16 * i, Dtype::float32, mine[i].sizes));
    }
    return ShardedTensor::from_local(views, Dtype::float32, spec, rank);
  });
}

inline Result<TensorUnderTest> make_flat(std::int64_t rank, std::int64_t world) {
  return held<FlatShard>([&](std::vector<std::byte>& memory) {
    const FlatRange range = flat_part(11 + 4 * 3 * 5 + 7, world, rank);
    return FlatShard::from_buffer(strided_memory(memory, Dtype::bfloat16, {range.size()}),
                                  {{4, 3, 5}, Dtype::bfloat16, whole_box({4, 3, 5}), 11, range});
  });
}

inline Result<TensorUnderTest> make_ragged(std::int64_t rank, std::int64_t world) {
  return held<RaggedShard>([&](std::vector<std::byte>& memory) -> Result<RaggedShard> {
    std::vector<std::int64_t> units;
    for (std::int64_t i = 0; i < world; ++i) {
      units.push_back(world == 1 ? 1 : (i * 5 + 2) % 4);  // some ranks have none
    }
    units.back() += 1;
    SHARDMARK_ASSIGN_OR_RETURN(const FlatRange range,
                               RaggedShard::held_range({7, 3, 4}, units, rank));
    return RaggedShard::from_buffer(strided_memory(memory, Dtype::int16, {range.size()}), {7, 3, 4},
                                    range);
  });
}

inline Result<TensorUnderTest> make_block_cyclic(std::int64_t rank, std::int64_t world) {
  return held<BlockCyclic>([&](std::vector<std::byte>& memory) {
    const std::int64_t rows = world % 2 == 0 ? 2 : 1;
    const BlockCyclicLayout layout{.global_sizes = {9, 14},
                                   .dtype = Dtype::float64,
                                   .grid = *DeviceMesh::row_major({rows, world / rows}),
                                   .block_sizes = {2, 3},
                                   .grid_dims = {0, 1},
                                   .source = {rows - 1, 0}};
    // ScaLAPACK's own arrays are column-major, as this memory is.
    return BlockCyclic::from_local(
        strided_memory(memory, Dtype::float64, BlockCyclic::local_sizes(layout, rank)), layout,
        rank);
  });
}

inline Result<GroupedExperts> experts_of(std::vector<std::byte>& memory, std::int64_t rank,
                                         std::int64_t world) {
  const std::int64_t inner = world % 2 == 0 ? 2 : 1;
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh, DeviceMesh::row_major({inner, world / inner}));
  const std::array placements = {Placement::shard(1), Placement::shard(0)};
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout,
                             make_tensor_layout({5, 3, 4}, Dtype::float32, mesh, placements));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims local, DTensor::local_sizes(layout, rank));
  return GroupedExperts::from_local(strided_memory(memory, Dtype::float32, local), layout, rank);
}

/// Every tensor type of this library, in strided memory, some on part of the ranks only.
inline std::vector<OwnType> own_types() {
  return {
      {"DTensor S(0)", dtensor_maker({5, 3}, Dtype::float32, "S(0)", false)},
      {"DTensor SS(1,3)", dtensor_maker({3, 29}, Dtype::int32, "SS(1,3)", false)},
      {"DTensor R", dtensor_maker({4, 2}, Dtype::float16, "R", false)},
      {"DTensor 0-d", dtensor_maker({}, Dtype::int64, "R", false)},
      {"DTensor empty", dtensor_maker({0, 3}, Dtype::uint8, "S(0)", false)},
      {"DTensor on a sub-mesh", dtensor_maker({7, 2}, Dtype::float64, "S(0)", true)},
      {"PlainTensor",
       [](std::int64_t, std::int64_t) {
         return held<PlainTensor>([](std::vector<std::byte>& memory) {
           return Result<PlainTensor>(PlainTensor(strided_memory(memory, Dtype::int8, {6, 5})));
         });
       }},
      {"ShardedTensor", make_sharded},
      {"FlatShard", make_flat},
      {"RaggedShard", make_ragged},
      {"BlockCyclic", make_block_cyclic},
      {"FlatShard of no elements",
       [](std::int64_t, std::int64_t) {
         return held<FlatShard>([](std::vector<std::byte>& memory) {
           return FlatShard::from_buffer(strided_memory(memory, Dtype::float32, {0}),
                                         {{3, 0}, Dtype::float32, whole_box({3, 0}), 5, {9, 9}});
         });
       }},
      {"BlockCyclic of no elements",
       [](std::int64_t rank, std::int64_t world) {
         return held<BlockCyclic>([&](std::vector<std::byte>& memory) {
           const BlockCyclicLayout layout{
               {0, 7}, Dtype::float32, *DeviceMesh::row_major({1, world}), {2, 3}, {0, 1}, {0, 0}};
           return BlockCyclic::from_local(
               strided_memory(memory, Dtype::float32, BlockCyclic::local_sizes(layout, rank)),
               layout, rank);
         });
       }},
      {"GroupedExperts",
       [](std::int64_t rank, std::int64_t world) {
         return held<GroupedExperts>(
             [&](std::vector<std::byte>& memory) { return experts_of(memory, rank, world); });
       }},
      {"an expert of GroupedExperts", [](std::int64_t rank, std::int64_t world) {
         return held<DTensor>([&](std::vector<std::byte>& memory) -> Result<DTensor> {
           SHARDMARK_ASSIGN_OR_RETURN(const auto experts, experts_of(memory, rank, world));
           return experts.expert(3);
         });
       }}};
}

}  // namespace shardmark::testing
