// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/strategy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "shardmark/core/nearest_name.hpp"
#include "shardmark/workload/parallel_degrees.hpp"

namespace shardmark {
namespace {

/// In the order of StrategyKind.
constexpr std::array<std::string_view, 6> names = {"ddp",  "zero1",   "fsdp",
                                                   "hsdp", "fsdp-tp", "megatron"};

}  // namespace

std::span<const std::string_view> strategy_names() noexcept {
  return names;
}

Result<Strategy> Strategy::resolve(const ParallelOptions& options, std::int64_t world_size) {
  const auto* const found = std::find(names.begin(), names.end(), options.strategy);
  if (found == names.end()) {
    return Error{
        ErrorCode::unsupported,
        fmt::format("parallel.strategy '{}' is not available in this version, which has {}{}",
                    options.strategy, fmt::join(names, ", "),
                    did_you_mean(options.strategy, names))};
  }
  if (world_size < 1) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("a world of {} ranks: expected at least 1", world_size)};
  }
  const bool pipeline_inside = options.order == "tp-pp-dp";
  if (!pipeline_inside && !options.order.empty() && options.order != "tp-dp-pp") {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("parallel.order '{}': expected tp-dp-pp or tp-pp-dp", options.order)};
  }
  Strategy strategy;
  strategy.kind_ = static_cast<StrategyKind>(found - names.begin());
  strategy.name_ = *found;
  strategy.world_size_ = world_size;
  SHARDMARK_ASSIGN_OR_RETURN(strategy.degrees_,
                             derive_degrees(strategy.kind_, options, world_size));
  const ParallelDegrees& degrees = strategy.degrees_;
  Strides& strides = strategy.strides_;
  strides.tp = 1;
  strides.pp = degrees.tp;
  strides.dp_shard = pipeline_inside ? strides.pp * degrees.pp : degrees.tp;
  strides.dp_replicate = strides.dp_shard * degrees.dp_shard;
  if (!pipeline_inside) {
    strides.pp = strides.dp_replicate * degrees.dp_replicate;
  }
  return strategy;
}

std::int64_t Strategy::stage(const TensorSpec& tensor, std::int32_t num_layers,
                             LayerSplit split) const noexcept {
  if (tensor.layer < 0) {
    return 0;
  }
  if (tensor.layer >= num_layers) {
    return degrees_.pp - 1;
  }
  if (split == LayerSplit::ceil) {
    return tensor.layer / ((num_layers + degrees_.pp - 1) / degrees_.pp);
  }
  const std::int64_t shorter = num_layers / degrees_.pp;
  const std::int64_t longer_stages = num_layers % degrees_.pp;
  const std::int64_t in_longer = longer_stages * (shorter + 1);
  return tensor.layer < in_longer ? tensor.layer / (shorter + 1)
                                  : longer_stages + (tensor.layer - in_longer) / shorter;
}

bool Strategy::pools_over_world(const TensorSpec& tensor) const noexcept {
  return tensor.world_pool && (kind_ == StrategyKind::fsdp_tp || kind_ == StrategyKind::megatron);
}

Result<DeviceMesh> Strategy::mesh_of(const TensorSpec& tensor, std::int64_t stage) const {
  if (pools_over_world(tensor)) {
    return DeviceMesh::row_major({world_size_});
  }
  switch (kind_) {
    case StrategyKind::ddp:
    case StrategyKind::zero1:
    case StrategyKind::fsdp:
      return DeviceMesh::row_major({world_size_});
    case StrategyKind::hsdp:
      return DeviceMesh::strided({degrees_.dp_replicate, degrees_.dp_shard},
                                 {strides_.dp_replicate, strides_.dp_shard}, 0);
    case StrategyKind::fsdp_tp:
      return DeviceMesh::strided({degrees_.dp_shard, degrees_.tp}, {strides_.dp_shard, strides_.tp},
                                 0);
    case StrategyKind::megatron:
      return DeviceMesh::strided({degrees_.dp_replicate, degrees_.tp},
                                 {strides_.dp_replicate, strides_.tp}, stage * strides_.pp);
  }
  return Error{ErrorCode::internal, "strategy without a mesh"};
}

Result<TensorLayout> Strategy::layout(const TensorSpec& tensor, std::int32_t num_layers,
                                      LayerSplit split) const {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh,
                             mesh_of(tensor, stage(tensor, num_layers, split)));
  const Placement whole = Placement::replicate();
  const Placement rows = Placement::shard(0);
  const int ndim = tensor.shape.ndim();
  const bool cut_0 = tensor.tp_cut == TpCut::dim_0 && ndim > 0;
  const bool cut_1 = tensor.tp_cut == TpCut::dim_1 && ndim > 1;
  std::array<Placement, 2> placements = {whole, whole};
  if (pools_over_world(tensor)) {
    placements[0] = rows;
  } else if (ndim > 0) {
    switch (kind_) {
      case StrategyKind::ddp:
        break;
      case StrategyKind::zero1:
        placements[0] = tensor.optimizer_state ? rows : whole;
        break;
      case StrategyKind::fsdp:
        placements[0] = rows;
        break;
      case StrategyKind::hsdp:
        placements[1] = rows;
        break;
      case StrategyKind::fsdp_tp:
        placements[0] = cut_0 ? Placement::strided_shard(0, degrees_.tp) : rows;
        placements[1] = cut_0 ? rows : cut_1 ? Placement::shard(1) : whole;
        break;
      case StrategyKind::megatron:
        placements[1] = cut_0 ? rows : cut_1 ? Placement::shard(1) : whole;
        break;
    }
  }
  return make_tensor_layout(tensor.shape, tensor.dtype, mesh,
                            {placements.data(), static_cast<std::size_t>(mesh.ndim())});
}

}  // namespace shardmark
