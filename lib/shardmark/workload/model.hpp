// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark {

/// How tensor parallelism cuts a tensor. Column-parallel weights and their biases are cut along the
/// dimension of output features, row-parallel ones along that of input features: dimensions 0 and 1
/// of a Linear weight [out, in], 1 and 0 of GPT-2's Conv1D weight [in, out].
enum class TpCut : std::uint8_t { none, dim_0, dim_1, dim_2 };  // dim_2: of stacked experts

/// How layers are dealt to pipeline stages, in runs of neighbours.
enum class LayerSplit : std::uint8_t {
  ceil,  // ceil(layers / stages) each; the last stages get what is left, or nothing
  even,  // runs differ by at most one layer, the longer ones first
};

/// One tensor of a model or of its optimizer, before any rank is known.
struct TensorSpec {
  std::string fqn;
  Dtype dtype = Dtype::bfloat16;
  Dims shape;
  TpCut tp_cut = TpCut::none;
  /// 0 to num_layers - 1; -1 before the layers (embedding), num_layers after them (final norm,
  /// head). Decides the pipeline stage.
  std::int32_t layer = -1;
  bool optimizer_state = false;
  /// A 1-D pool that optimizer states of all stages share; cut over all ranks of the world.
  bool world_pool = false;
  /// Mixture of experts: how many there are, 0 for other tensors; which one this is, -1 if the
  /// tensor holds them all, stacked along dimension 0.
  std::int64_t num_experts = 0;
  std::int64_t expert = -1;
  bool has_known_role = true;     // `tp_cut` is meant; false: its name says nothing of it
  std::string published_dtype{};  // where `dtype` holds one without a name here, its own name
};

/// What the optimizer keeps for every parameter, as float32 tensors of the parameter's shape.
enum class Optimizer : std::uint8_t {
  none,
  adamw,         // master, exp_avg, exp_avg_sq
  sgd_momentum,  // momentum
};

/// Local. How many tensors that is for each parameter.
std::int64_t num_states(Optimizer optimizer) noexcept;

struct Model {
  std::string name;
  std::int32_t num_layers = 0;
  Optimizer optimizer = Optimizer::adamw;
  LayerSplit layer_split = LayerSplit::ceil;
  bool pooled_optimizer = false;             // one pool a state instead of a tensor a parameter
  std::vector<TensorSpec> tensors;           // parameters, in published order
  std::vector<std::int64_t> kept_extents{};  // numbers of things (experts), which scaling keeps
  std::vector<std::string> notes{};          // what a reader of results should know of its making
};

inline constexpr std::string_view optimizer_prefix = "optimizer.state.";

/// Local. The optimizer's tensors, state by state within a parameter of floating point, in
/// parameter order: `optimizer.state.<fqn>.{master,exp_avg,exp_avg_sq}` or `.momentum`.
std::vector<TensorSpec> optimizer_tensors(const Model& model);

/// Local. The last `count` tensors are expert `number`'s.
void mark_expert(Model& model, std::size_t count, std::int64_t number, std::int64_t experts);

/// Local. Stacks the experts of each weight: `...experts.3.w1.weight` and its like become
/// `...experts.w1.weight` of shape [experts, ...]. Errors: invalid_argument, naming both, where the
/// experts of a weight differ in shape or dtype or the stack's name is taken.
Status stack_experts(Model& model);

/// Local. Sums over tensors, each once.
std::int64_t num_elements(const std::vector<TensorSpec>& tensors) noexcept;
std::int64_t num_bytes(const std::vector<TensorSpec>& tensors) noexcept;

/// Local. Bytes of parameters and optimizer tensors, which check_size() has found countable.
std::int64_t num_bytes_with_optimizer(const Model& model) noexcept;

/// Local. Errors: invalid_argument for a model of more than 2^63 - 1 bytes, optimizer included.
Status check_size(const Model& model);

/// Opaque entries of every checkpoint, replicated on all ranks.
struct ObjectSpec {
  std::string_view fqn;
  std::int64_t num_bytes;
};

inline constexpr ObjectSpec object_specs[] = {
    {"step", 8}, {"rng_state", 5056}, {"dataloader_state", 1024}};

}  // namespace shardmark
