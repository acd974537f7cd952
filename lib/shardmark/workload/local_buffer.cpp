// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/local_buffer.hpp"

namespace shardmark {

Status DTensorBuffer::place(std::int64_t rank, std::byte* memory) {
  if (memory == nullptr) {
    return tensor.move_to_rank(rank);
  }
  // The layout moves into its own replacement: take a copy first.
  const TensorLayout layout = tensor.layout();
  SHARDMARK_ASSIGN_OR_RETURN(const Dims sizes, DTensor::local_sizes(layout, rank));
  SHARDMARK_ASSIGN_OR_RETURN(
      tensor, DTensor::from_local(contiguous_view(memory, layout.dtype, sizes), layout, rank));
  return {};
}

std::int64_t ExpertsBuffer::num_bytes() const noexcept {
  const auto sizes = DTensor::local_sizes(layout_, rank_);
  return sizes ? volume(*sizes) * element_size(layout_.dtype) : 0;
}

Status ExpertsBuffer::place(std::int64_t rank, std::byte* memory) {
  SHARDMARK_ASSIGN_OR_RETURN(const Dims sizes, DTensor::local_sizes(layout_, rank));
  SHARDMARK_ASSIGN_OR_RETURN(
      GroupedExperts placed,
      GroupedExperts::from_local(contiguous_view(memory, layout_.dtype, sizes), layout_, rank));
  tensor = std::move(placed);
  rank_ = rank;
  return {};
}

Status BlockCyclicBuffer::place(std::int64_t rank, std::byte* memory) {
  const Dims sizes = BlockCyclic::local_sizes(layout_, rank);
  SHARDMARK_ASSIGN_OR_RETURN(
      BlockCyclic placed,
      BlockCyclic::from_local(contiguous_view(memory, layout_.dtype, sizes), layout_, rank));
  tensor = std::move(placed);
  return {};
}

Result<FlatShard*> FlatBuffer::add(const FlatMembership& membership) {
  cut_dim_ = membership.cut_dim;
  const TensorLayout& windows = membership.windows;
  SHARDMARK_ASSIGN_OR_RETURN(
      FlatShard nothing,
      FlatShard::from_buffer(
          contiguous_view<std::byte>(nullptr, windows.dtype, {0}),
          {windows.global_sizes, windows.dtype, whole_box(windows.global_sizes), 0, {}}));
  members_.push_back({windows, std::move(nothing)});
  return &members_.back().tensor;
}

std::int64_t FlatBuffer::num_bytes() const noexcept {
  return held_.size() * element_size(members_.front().windows.dtype);
}

Status FlatBuffer::place(std::int64_t rank, std::byte* memory) {
  const DeviceMesh& mesh = members_.front().windows.mesh;
  const Dtype dtype = members_.front().windows.dtype;
  const auto coordinate = mesh.coordinate(rank);
  std::vector<FlatPosition> positions;
  positions.reserve(members_.size());
  std::int64_t total = 0;
  for (const Member& member : members_) {
    const TensorLayout& windows = member.windows;
    FlatPosition position{.global_sizes = windows.global_sizes,
                          .dtype = dtype,
                          .window = whole_box(windows.global_sizes),
                          .begin = total,
                          .held = {}};
    if (coordinate) {
      SHARDMARK_ASSIGN_OR_RETURN(const LocalShard shard,
                                 compute_local_shard(windows.global_sizes, mesh.shape(),
                                                     *coordinate, windows.placements()));
      SHARDMARK_ASSERT(shard.boxes.size() == 1, "a window that is one box");
      position.window = shard.boxes.front().box;
    }
    total += position.window.num_elements();
    positions.push_back(position);
  }
  held_ =
      coordinate ? flat_part(total, mesh.shape()[cut_dim_], (*coordinate)[cut_dim_]) : FlatRange{};
  const TensorView buffer = contiguous_view(memory, dtype, {held_.size()});
  for (std::size_t i = 0; i < positions.size(); ++i) {
    positions[i].held = held_;
    SHARDMARK_ASSIGN_OR_RETURN(members_[i].tensor, FlatShard::from_buffer(buffer, positions[i]));
  }
  return {};
}

}  // namespace shardmark
