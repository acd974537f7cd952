// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/protocol/tensor_layout.hpp"
#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/workload/model.hpp"
#include "shardmark/workload/parallel_degrees.hpp"

namespace shardmark {

/// A tensor that shares a flat buffer with others.
struct FlatMembership {
  TensorLayout windows;  // what each rank would hold of the tensor, were it not flattened
  int cut_dim = 0;       // the mesh dimension whose ranks share the buffer
  std::string buffer;    // which one: the tensors of one buffer follow one another in it
};

/// All experts of one weight as one tensor.
struct ExpertStack {
  TensorLayout layout;
};

/// How a tensor lies over the ranks, the same on every rank.
using Distribution = std::variant<TensorLayout, ExpertStack, FlatMembership, BlockCyclicLayout>;

/// A sharding strategy for one world size: gives every tensor its layout.
///
///   ddp       all replicated
///   zero1     parameters replicated, optimizer S(0)
///   fsdp      S(0)
///   hsdp      [R, S(0)] on (dp_replicate, dp_shard)
///   fsdp-tp   on (dp_shard, tp): cut by tp along dim 0 [SS(0,tp), S(0)], dim 1 [S(0), S(1)], else
///             [S(0), R]
///   megatron  on (dp_replicate, tp) of a pipeline stage: [R, S(0) or S(1) or R]
///   flat-fsdp       the tensors of a layer and dtype in one flat buffer, cut over dp_shard (FSDP1)
///   megatron-dist   parameters as megatron; each optimizer state's tensors in one flat buffer a
///                   stage, cut over dp_replicate (Megatron's distributed optimizer). Tensors that
///                   tp cuts and those that it replicates have buffers of their own, so that
///                   replicas are cut alike
///   ep              S(0) over dp_shard; experts on (dp_shard / ep, ep): dealt out over ep, each
///   cut
///                   by rows over the rest
///   block-cyclic    dimensions 0 and 1 block-cyclic over a grid of processes; 1-d tensors over its
///                   first column, other ranks hold nothing of them
///
/// 0-d tensors are replicated in all of them. A rule (placement_rules.hpp) takes the place of what
/// stands above, on the same mesh: of ep that of its dense tensors. One placement alone is that of
/// the last mesh dimension (tp, dp_shard), beside which the others stay as the strategy has them.
/// What a rule places is not flattened, but for megatron-dist's optimizer states where
/// dp_replicate does not cut them.
class Strategy {
 public:
  /// Local. Errors: unsupported for a strategy that this version does not have; invalid_argument
  /// if the degrees do not multiply to `world_size`, two are -1, or one is given that the strategy
  /// does not use; or a rule has neither one placement nor as many as the strategy's mesh has
  /// dimensions.
  static Result<Strategy> resolve(const ParallelOptions& options, std::int64_t world_size);

  std::string_view name() const noexcept { return name_; }
  const ParallelDegrees& degrees() const noexcept { return degrees_; }
  std::int64_t world_size() const noexcept { return world_size_; }

  /// Local. Pipeline stage of a tensor: layers go to stages by `split`, the embedding to the first
  /// stage, final norm and head to the last.
  std::int64_t stage(const TensorSpec& tensor, std::int32_t num_layers,
                     LayerSplit split = LayerSplit::ceil) const noexcept;

  /// Local. `rule` places the tensor, if there is one. Errors: as make_tensor_layout().
  Result<Distribution> distribution(const TensorSpec& tensor, std::int32_t num_layers,
                                    LayerSplit split = LayerSplit::ceil,
                                    const PlacementRule* rule = nullptr) const;

  /// Local. The placements alone: of flat-fsdp and megatron-dist before flattening, of the dense
  /// tensors of ep. Errors: as distribution(); invalid_argument for block-cyclic.
  Result<TensorLayout> layout(const TensorSpec& tensor, std::int32_t num_layers,
                              LayerSplit split = LayerSplit::ceil,
                              const PlacementRule* rule = nullptr) const;

 private:
  using Placements = std::array<Placement, 2>;  // as many as the mesh has dimensions count

  struct Strides {
    std::int64_t tp = 1;
    std::int64_t dp_shard = 1;
    std::int64_t dp_replicate = 1;
    std::int64_t pp = 1;
  };

  Status resolve_grid(const ParallelOptions& options);
  Status check_rules(const std::vector<PlacementRule>& rules) const;
  int mesh_ndim() const noexcept;
  Placements own_placements(const TensorSpec& tensor, const Placement& by_tp) const;
  Placements placements_of(const TensorSpec& tensor, const PlacementRule* rule) const;
  Result<Distribution> cyclic(const TensorSpec& tensor) const;
  Result<Distribution> expert(const TensorSpec& tensor) const;
  std::string flat_buffer_of(const TensorSpec& tensor, std::int64_t stage, bool by_tp) const;
  Result<DeviceMesh> mesh_of(const TensorSpec& tensor, std::int64_t stage) const;
  bool pools_over_world(const TensorSpec& tensor) const noexcept;

  StrategyKind kind_ = StrategyKind::ddp;
  std::string_view name_;
  ParallelDegrees degrees_;
  Strides strides_;
  std::int64_t world_size_ = 1;
  std::int64_t grid_rows_ = 1;
  std::int64_t block_size_ = 1;
};

/// Local. The dimension that tensor parallelism cuts, if the tensor has it.
std::optional<std::int32_t> tp_dimension(const TensorSpec& tensor) noexcept;

/// Local. The strategies of this version.
std::span<const std::string_view> strategy_names() noexcept;

}  // namespace shardmark
