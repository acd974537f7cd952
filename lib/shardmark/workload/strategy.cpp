// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/strategy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

#include "shardmark/core/nearest_name.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/workload/parallel_degrees.hpp"

namespace shardmark {
namespace {

/// In the order of StrategyKind.
constexpr std::array<std::string_view, 10> names = {
    "ddp",      "zero1",     "fsdp",          "hsdp", "fsdp-tp",
    "megatron", "flat-fsdp", "megatron-dist", "ep",   "block-cyclic"};

}  // namespace

std::optional<std::int32_t> tp_dimension(const TensorSpec& tensor) noexcept {
  const std::int32_t dim = tensor.tp_cut == TpCut::dim_0   ? 0
                           : tensor.tp_cut == TpCut::dim_1 ? 1
                           : tensor.tp_cut == TpCut::dim_2 ? 2
                                                           : -1;
  return dim >= 0 && dim < tensor.shape.ndim() ? std::optional(dim) : std::nullopt;
}

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
  SHARDMARK_RETURN_IF_ERROR(strategy.resolve_grid(options));
  SHARDMARK_RETURN_IF_ERROR(strategy.check_rules(options.rules));
  const ParallelDegrees& degrees = strategy.degrees_;
  Strides& strides = strategy.strides_;
  // Ranks are numbered fastest dimension first: neighbours share a tensor-parallel group, which
  // talks most, and with tp-pp-dp the copies of a stage lie farthest apart.
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
  // The embedding and the head have no layer: they stand before the first and behind the last.
  if (tensor.layer < 0) {
    return 0;
  }
  if (tensor.layer >= num_layers) {
    return degrees_.pp - 1;
  }
  // The ceil rule may leave the last stages without a layer; the embedding and the head still have
  // one.
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
  return tensor.world_pool && (kind_ == StrategyKind::fsdp_tp || kind_ == StrategyKind::megatron ||
                               kind_ == StrategyKind::megatron_dist);
}

int Strategy::mesh_ndim() const noexcept {
  switch (kind_) {
    case StrategyKind::hsdp:
    case StrategyKind::fsdp_tp:
    case StrategyKind::megatron:
    case StrategyKind::megatron_dist:
      return 2;
    default:
      return 1;
  }
}

Status Strategy::check_rules(const std::vector<PlacementRule>& rules) const {
  if (kind_ == StrategyKind::block_cyclic && !rules.empty()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: strategy '{}' has no placements, expected another strategy, or "
                             "no rules",
                             to_string(rules.front()), name_)};
  }
  const auto ndim = static_cast<std::size_t>(mesh_ndim());
  const auto wrong = std::ranges::find_if(rules, [&](const PlacementRule& rule) {
    return rule.placements.empty() ||
           (rule.placements.size() != 1 && rule.placements.size() != ndim);
  });
  if (wrong == rules.end()) {
    return {};
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("{}: {} placements, expected {} for strategy '{}', whose mesh has {} "
                           "dimension{}",
                           to_string(*wrong), wrong->placements.size(),
                           ndim == 1 ? "one" : "one or two", name_, ndim, ndim == 1 ? "" : "s")};
}

Result<DeviceMesh> Strategy::mesh_of(const TensorSpec& tensor, std::int64_t stage) const {
  // A pool belongs to no stage: all of them share it, so that it is cut over the world.
  if (pools_over_world(tensor)) {
    return DeviceMesh::row_major({world_size_});
  }
  switch (kind_) {
    case StrategyKind::ddp:
    case StrategyKind::zero1:
    case StrategyKind::fsdp:
    case StrategyKind::flat_fsdp:
    case StrategyKind::ep:
      return DeviceMesh::row_major({world_size_});
    case StrategyKind::hsdp:
      return DeviceMesh::strided({degrees_.dp_replicate, degrees_.dp_shard},
                                 {strides_.dp_replicate, strides_.dp_shard}, 0);
    case StrategyKind::fsdp_tp:
      return DeviceMesh::strided({degrees_.dp_shard, degrees_.tp}, {strides_.dp_shard, strides_.tp},
                                 0);
    case StrategyKind::megatron:
    case StrategyKind::megatron_dist:
      return DeviceMesh::strided({degrees_.dp_replicate, degrees_.tp},
                                 {strides_.dp_replicate, strides_.tp}, stage * strides_.pp);
    case StrategyKind::block_cyclic:
      break;
  }
  return Error{ErrorCode::invalid_argument, fmt::format("strategy '{}' has no placements", name_)};
}

Strategy::Placements Strategy::own_placements(const TensorSpec& tensor,
                                              const Placement& by_tp) const {
  const Placement whole = Placement::replicate();
  const Placement rows = Placement::shard(0);
  const bool tp_cuts_rows =
      by_tp.kind == PlacementKind::shard && (by_tp.dim == 0 || by_tp.dim == -tensor.shape.ndim());
  switch (kind_) {
    case StrategyKind::ddp:
    case StrategyKind::flat_fsdp:
    case StrategyKind::block_cyclic:
      break;
    case StrategyKind::zero1:
      return {tensor.optimizer_state ? rows : whole, whole};
    case StrategyKind::fsdp:
    case StrategyKind::ep:
      return {rows, whole};
    case StrategyKind::hsdp:
      return {whole, rows};
    case StrategyKind::fsdp_tp:
      // tp cuts first, then fsdp cuts what is left of the same dimension: fsdp is the outer mesh
      // dimension, so its shards are not neighbours in the tensor.
      return {tp_cuts_rows ? Placement::strided_shard(0, degrees_.tp) : rows, by_tp};
    case StrategyKind::megatron:
    case StrategyKind::megatron_dist:
      return {whole, by_tp};
  }
  return {whole, whole};
}

Strategy::Placements Strategy::placements_of(const TensorSpec& tensor,
                                             const PlacementRule* rule) const {
  if (pools_over_world(tensor)) {
    return {Placement::shard(0), Placement::replicate()};
  }
  if (tensor.shape.empty()) {
    return {Placement::replicate(), Placement::replicate()};
  }
  const auto tp_dim = tp_dimension(tensor);
  if (rule == nullptr) {
    return own_placements(tensor, tp_dim ? Placement::shard(*tp_dim) : Placement::replicate());
  }
  const auto ndim = static_cast<std::size_t>(mesh_ndim());
  Placements placements = own_placements(tensor, rule->placements.back());
  std::ranges::copy_backward(rule->placements, placements.begin() + static_cast<int>(ndim));
  return placements;
}

Result<TensorLayout> Strategy::layout(const TensorSpec& tensor, std::int32_t num_layers,
                                      LayerSplit split, const PlacementRule* rule) const {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh,
                             mesh_of(tensor, stage(tensor, num_layers, split)));
  const Placements placements = placements_of(tensor, rule);
  auto made = make_tensor_layout(tensor.shape, tensor.dtype, mesh,
                                 {placements.data(), static_cast<std::size_t>(mesh.ndim())});
  if (!made && rule != nullptr) {
    return Error{made.error().code,
                 fmt::format("{}: '{}': {}", to_string(*rule), tensor.fqn, made.error().message)};
  }
  return made;
}

Status Strategy::resolve_grid(const ParallelOptions& options) {
  if (options.block_size < 1) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("parallel.block_size = {}: expected at least 1", options.block_size)};
  }
  block_size_ = options.block_size;
  if (options.grid_rows && *options.grid_rows != -1) {
    grid_rows_ = *options.grid_rows;
    if (kind_ != StrategyKind::block_cyclic) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("parallel.grid_rows = {}: strategy '{}' does not use it, only "
                               "block-cyclic",
                               grid_rows_, name_)};
    }
    if (grid_rows_ < 1 || world_size_ % grid_rows_ != 0) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("parallel.grid_rows = {}: expected a divisor of the world of {} "
                               "ranks",
                               grid_rows_, world_size_)};
    }
    return {};
  }
  // The grid nearest to a square: its rows and columns have the fewest ranks to talk to.
  for (std::int64_t rows = 1; rows <= world_size_ / rows; ++rows) {
    grid_rows_ = world_size_ % rows == 0 ? rows : grid_rows_;
  }
  return {};
}

Result<Distribution> Strategy::cyclic(const TensorSpec& tensor) const {
  const std::int64_t columns = world_size_ / grid_rows_;
  const int ndim = tensor.shape.ndim();
  BlockCyclicLayout layout;
  layout.global_sizes = tensor.shape;
  layout.dtype = tensor.dtype;
  // Vectors lie in the first column of processes, as ScaLAPACK has them.
  SHARDMARK_ASSIGN_OR_RETURN(layout.grid, ndim > 1
                                              ? DeviceMesh::row_major({grid_rows_, columns})
                                              : DeviceMesh::strided({grid_rows_}, {columns}, 0));
  layout.block_sizes = Dims::filled(ndim, block_size_);
  layout.grid_dims = Dims::filled(ndim, -1);
  layout.source = Dims::filled(ndim, 0);
  for (int d = 0; d < std::min(ndim, 2); ++d) {
    layout.grid_dims[d] = d;
  }
  return layout;
}

Result<Distribution> Strategy::expert(const TensorSpec& tensor) const {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh,
                             DeviceMesh::row_major({degrees_.dp_shard / degrees_.ep, degrees_.ep}));
  const std::array<Placement, 2> placements = {Placement::shard(1), Placement::shard(0)};
  if (tensor.expert < 0) {
    SHARDMARK_ASSIGN_OR_RETURN(TensorLayout layout,
                               make_tensor_layout(tensor.shape, tensor.dtype, mesh, placements));
    return ExpertStack{layout};
  }
  // An expert by itself is one slice of the stack it would be in: it lies where the stack has it.
  Dims stacked = Dims::filled(tensor.shape.ndim() + 1, tensor.num_experts);
  std::copy(tensor.shape.begin(), tensor.shape.end(), stacked.begin() + 1);
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout,
                             make_tensor_layout(stacked, tensor.dtype, mesh, placements));
  SHARDMARK_ASSIGN_OR_RETURN(TensorLayout own,
                             GroupedExperts::expert_layout(layout, tensor.expert));
  return own;
}

std::string Strategy::flat_buffer_of(const TensorSpec& tensor, std::int64_t stage,
                                     bool by_tp) const {
  const std::string_view state =
      tensor.optimizer_state ? std::string_view(tensor.fqn).substr(tensor.fqn.rfind('.') + 1) : "";
  // One buffer an optimizer state: states are flattened apart, as the optimizer keeps them.
  if (kind_ == StrategyKind::flat_fsdp) {
    return fmt::format("{}/{}/{}", tensor.layer, dtype_name(tensor.dtype), state);
  }
  return fmt::format("{}/{}/{}", stage, by_tp, state);
}

Result<Distribution> Strategy::distribution(const TensorSpec& tensor, std::int32_t num_layers,
                                            LayerSplit split, const PlacementRule* rule) const {
  const bool scalar = tensor.shape.empty();
  if (kind_ == StrategyKind::block_cyclic && !scalar) {
    return cyclic(tensor);
  }
  if (kind_ == StrategyKind::ep && tensor.num_experts > 0 && !scalar && rule == nullptr) {
    return expert(tensor);
  }
  if (kind_ == StrategyKind::block_cyclic) {
    SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh world, DeviceMesh::row_major({world_size_}));
    const std::array<Placement, 1> replicated = {Placement::replicate()};
    SHARDMARK_ASSIGN_OR_RETURN(TensorLayout layout,
                               make_tensor_layout(tensor.shape, tensor.dtype, world, replicated));
    return layout;
  }
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout placed, layout(tensor, num_layers, split, rule));
  // A flat buffer takes one box a rank of each tensor, the same on all ranks that share it.
  const bool in_windows = placed.placements().front().kind == PlacementKind::replicate &&
                          placed.placements().back().kind != PlacementKind::strided_shard;
  const bool flat = kind_ == StrategyKind::flat_fsdp
                        ? rule == nullptr
                        : kind_ == StrategyKind::megatron_dist && tensor.optimizer_state &&
                              !tensor.world_pool && in_windows;
  if (flat && !scalar) {
    const bool by_tp = placed.placements().back().kind != PlacementKind::replicate;
    return FlatMembership{placed, 0,
                          flat_buffer_of(tensor, stage(tensor, num_layers, split), by_tp)};
  }
  return placed;
}

}  // namespace shardmark
