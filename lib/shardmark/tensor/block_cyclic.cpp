// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/block_cyclic.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shardmark/tensor/find_box.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t whole_dimension = -1;

struct Deal {
  std::int64_t turn = 0;  // whose blocks: turn, turn + parts, turn + 2 * parts, ...
  std::int64_t parts = 1;
  std::int64_t blocks = 0;
  std::int64_t size = 0;  // elements of these blocks
};

/// What a process at `coordinate` of the grid gets of dimension d.
Deal deal_of(const BlockCyclicLayout& layout, const Dims& coordinate, int d) {
  const std::int64_t extent = layout.global_sizes[d];
  // A block beyond the extent is the extent: no product below can overflow.
  const std::int64_t block = std::clamp<std::int64_t>(extent, 1, layout.block_sizes[d]);
  Deal deal;
  if (layout.grid_dims[d] != whole_dimension) {
    const int g = static_cast<int>(layout.grid_dims[d]);
    deal.parts = layout.grid.shape()[g];
    deal.turn = (coordinate[g] - layout.source[d] + deal.parts) % deal.parts;
  }
  const std::int64_t all = extent / block + (extent % block != 0 ? 1 : 0);
  deal.blocks = all > deal.turn ? (all - deal.turn - 1) / deal.parts + 1 : 0;
  deal.size = deal.blocks * block;
  if (deal.blocks > 0 && extent % block != 0 && (all - 1) % deal.parts == deal.turn) {
    deal.size -= block - extent % block;
  }
  return deal;
}

}  // namespace

Status check_layout(const BlockCyclicLayout& layout) {
  SHARDMARK_RETURN_IF_ERROR(Status(checked_volume(layout.global_sizes)));
  const int ndim = layout.global_sizes.ndim();
  if (layout.block_sizes.ndim() != ndim || layout.grid_dims.ndim() != ndim ||
      layout.source.ndim() != ndim) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format(
            "block sizes {}, grid dimensions {} and source {} of a tensor {}: expected one each a dimension",
            to_string(layout.block_sizes), to_string(layout.grid_dims), to_string(layout.source),
            to_string(layout.global_sizes))};
  }
  std::uint32_t taken = 0;
  for (int d = 0; d < ndim; ++d) {
    const std::int64_t g = layout.grid_dims[d];
    if (layout.block_sizes[d] < 1) {
      return Error{ErrorCode::invalid_argument, fmt::format("block sizes {}: expected at least 1",
                                                            to_string(layout.block_sizes))};
    }
    if (g < whole_dimension || g >= layout.grid.ndim() ||
        (g >= 0 && (taken >> static_cast<unsigned>(g) & 1U) != 0)) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("grid dimensions {}: expected -1, or 0 to {}, none twice",
                               to_string(layout.grid_dims), layout.grid.ndim() - 1)};
    }
    taken |= g >= 0 ? 1U << static_cast<unsigned>(g) : 0U;
    const std::int64_t parts = g >= 0 ? layout.grid.shape()[static_cast<int>(g)] : 1;
    if (layout.source[d] < 0 || layout.source[d] >= parts) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("source process {} for dimension {}: expected 0 to {}",
                               layout.source[d], d, parts - 1)};
    }
  }
  return {};
}

Dims BlockCyclic::local_sizes(const BlockCyclicLayout& layout, std::int64_t rank) {
  Dims sizes = Dims::filled(layout.global_sizes.ndim(), 0);
  if (const auto coordinate = layout.grid.coordinate(rank)) {
    for (int d = 0; d < sizes.ndim(); ++d) {
      sizes[d] = deal_of(layout, *coordinate, d).size;
    }
  }
  return sizes;
}

Result<BlockCyclic> BlockCyclic::from_local(const TensorView& local,
                                            const BlockCyclicLayout& layout, std::int64_t rank) {
  SHARDMARK_RETURN_IF_ERROR(check_layout(layout));
  BlockCyclic tensor(local, layout);
  const auto coordinate = layout.grid.coordinate(rank);
  if (!coordinate) {
    return tensor;
  }
  const Dims expected = local_sizes(layout, rank);
  if (local.sizes != expected || local.dtype != layout.dtype) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("local tensor is {} {}, the distribution gives rank {} {} {}",
                             dtype_name(local.dtype), to_string(local.sizes), rank,
                             dtype_name(layout.dtype), to_string(expected))};
  }
  tensor.outside_ = false;
  tensor.turn_ = tensor.parts_ = tensor.blocks_ = Dims::filled(expected.ndim(), 0);
  for (int d = 0; d < expected.ndim(); ++d) {
    const Deal deal = deal_of(layout, *coordinate, d);
    tensor.turn_[d] = deal.turn;
    tensor.parts_[d] = deal.parts;
    tensor.blocks_[d] = deal.blocks;
  }
  return tensor;
}

bool BlockCyclic::without_elements() const noexcept {
  return !outside_ && whole_box(layout_.global_sizes).empty();
}

std::int64_t BlockCyclic::num_blocks() const noexcept {
  return outside_ ? 0 : volume(blocks_);
}

Box BlockCyclic::block_at(const Dims& position) const noexcept {
  Box box{position, position};
  for (int d = 0; d < position.ndim(); ++d) {
    box.offsets[d] = (position[d] * parts_[d] + turn_[d]) * layout_.block_sizes[d];
    box.sizes[d] = std::min(layout_.block_sizes[d], layout_.global_sizes[d] - box.offsets[d]);
  }
  return box;
}

/// Calls `take(box)` for every block, in row-major order.
template <typename Take>
void BlockCyclic::for_each_block(const Take& take) const {
  // Or no checkpoint would know of the tensor.
  if (without_elements()) {
    take(whole_box(layout_.global_sizes));
    return;
  }
  const std::int64_t count = num_blocks();
  Dims position = Dims::filled(layout_.global_sizes.ndim(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    take(block_at(position));
    for (int d = position.ndim() - 1; d >= 0 && ++position[d] == blocks_[d]; --d) {
      position[d] = 0;
    }
  }
}

std::vector<WriteItem> BlockCyclic::create_write_items(std::string_view fqn) const {
  std::vector<WriteItem> items;
  items.reserve(static_cast<std::size_t>(num_blocks()));
  for_each_block([&](const Box& box) {
    items.push_back(make_write_item(fqn, WriteItemType::shard, box, layout_.dtype,
                                    layout_.global_sizes, static_cast<std::int64_t>(items.size())));
  });
  return items;
}

std::vector<ChunkStorageMetadata> BlockCyclic::create_chunk_list() const {
  std::vector<ChunkStorageMetadata> chunks;
  chunks.reserve(static_cast<std::size_t>(num_blocks()));
  for_each_block([&](const Box& box) { chunks.push_back(box); });
  return chunks;
}

Result<TensorView> BlockCyclic::find(const MetadataIndex& index) const {
  if (!index.offset) {
    return no_offset_given(index);
  }
  const Dims& wanted = *index.offset;
  const Dims& extents = layout_.global_sizes;
  // By arithmetic: a matrix has millions of blocks, and no list of them is kept.
  bool there = !outside_ && wanted.ndim() == extents.ndim();
  TensorView block = local_;
  std::int64_t offset = 0;
  for (int d = 0; there && d < extents.ndim(); ++d) {
    // Unsigned: a negative offset is one too big.
    const auto size = static_cast<std::uint64_t>(layout_.block_sizes[d]);
    const auto number = static_cast<std::uint64_t>(wanted[d]) / size;
    const auto round = number / static_cast<std::uint64_t>(parts_[d]);
    there = number * size == static_cast<std::uint64_t>(wanted[d]) &&
            number - round * static_cast<std::uint64_t>(parts_[d]) ==
                static_cast<std::uint64_t>(turn_[d]) &&
            round < static_cast<std::uint64_t>(blocks_[d]);
    if (there) {
      offset += static_cast<std::int64_t>(round * size) * local_.strides[d];
      block.sizes[d] = std::min(layout_.block_sizes[d], extents[d] - wanted[d]);
    }
  }
  if (there) {
    block.data =
        local_.data == nullptr ? nullptr : local_.data + offset * element_size(layout_.dtype);
    return block;
  }
  if (without_elements() && wanted == Dims::filled(extents.ndim(), 0)) {
    return contiguous_view(local_.data, layout_.dtype, extents);
  }
  return no_box_there(index);
}

Result<ConstTensorView> BlockCyclic::get_tensor_shard(const MetadataIndex& index) const {
  SHARDMARK_ASSIGN_OR_RETURN(const TensorView found, find(index));
  return ConstTensorView(found);
}

Result<TensorView> BlockCyclic::get_tensor_shard(const MetadataIndex& index) {
  return find(index);
}

}  // namespace shardmark
