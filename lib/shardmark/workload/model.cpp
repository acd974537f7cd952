// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

namespace shardmark {
namespace {

std::span<const std::string_view> states_of(Optimizer optimizer) {
  static constexpr std::string_view adamw[] = {"master", "exp_avg", "exp_avg_sq"};
  static constexpr std::string_view sgd_momentum[] = {"momentum"};
  switch (optimizer) {
    case Optimizer::none:
      return {};
    case Optimizer::adamw:
      return adamw;
    case Optimizer::sgd_momentum:
      return sgd_momentum;
  }
  return {};
}

/// Of tensors that have optimizer states.
std::int64_t num_trained_elements(const Model& model) noexcept {
  std::int64_t sum = 0;
  for (const TensorSpec& tensor : model.tensors) {
    sum += is_floating(tensor.dtype) ? volume(tensor.shape) : 0;
  }
  return sum;
}

}  // namespace

std::int64_t num_states(Optimizer optimizer) noexcept {
  return static_cast<std::int64_t>(states_of(optimizer).size());
}

std::vector<TensorSpec> optimizer_tensors(const Model& model) {
  const auto states = states_of(model.optimizer);
  std::vector<TensorSpec> tensors;
  if (model.pooled_optimizer) {
    for (const std::string_view state : states) {
      TensorSpec pool;
      pool.fqn = "optimizer.state.pool." + std::string(state);
      pool.dtype = Dtype::float32;
      pool.shape = {num_trained_elements(model)};
      pool.optimizer_state = true;
      pool.world_pool = true;
      tensors.push_back(std::move(pool));
    }
    return tensors;
  }
  tensors.reserve(model.tensors.size() * states.size());
  for (const TensorSpec& parameter : model.tensors) {
    if (!is_floating(parameter.dtype)) {
      continue;  // token counts, masks, packed weights: nothing trains them
    }
    for (const std::string_view state : states) {
      TensorSpec tensor = parameter;
      tensor.fqn = fmt::format("{}{}.{}", optimizer_prefix, parameter.fqn, state);
      tensor.dtype = Dtype::float32;
      tensor.optimizer_state = true;
      tensors.push_back(std::move(tensor));
    }
  }
  return tensors;
}

void mark_expert(Model& model, std::size_t count, std::int64_t number, std::int64_t experts) {
  for (std::size_t i = model.tensors.size() - count; i < model.tensors.size(); ++i) {
    model.tensors[i].expert = number;
    model.tensors[i].num_experts = experts;
  }
}

namespace {

/// The name of all experts of a weight: "a.experts.3.w1" without its number.
std::string stacked_name(const TensorSpec& tensor) {
  constexpr std::string_view part = "experts.";
  const std::string& name = tensor.fqn;
  for (std::size_t at = name.find(part); at != std::string::npos; at = name.find(part, at + 1)) {
    const std::size_t digits = at + part.size();
    const std::size_t end = name.find_first_not_of("0123456789", digits);
    if ((at == 0 || name[at - 1] == '.') && end != std::string::npos && end > digits &&
        name[end] == '.') {
      return name.substr(0, digits) + name.substr(end + 1);
    }
  }
  return name;
}

Dims with_experts(const TensorSpec& tensor) {
  Dims stacked = Dims::filled(tensor.shape.ndim() + 1, tensor.num_experts);
  std::copy(tensor.shape.begin(), tensor.shape.end(), stacked.begin() + 1);
  return stacked;
}

TpCut behind_experts(TpCut cut) {
  return cut == TpCut::dim_0 ? TpCut::dim_1 : cut == TpCut::dim_1 ? TpCut::dim_2 : TpCut::none;
}

}  // namespace

Status stack_experts(Model& model) {
  std::vector<TensorSpec> tensors;
  std::map<std::string, std::size_t> stack_of;  // by its name, its place in `tensors`
  for (TensorSpec& tensor : model.tensors) {
    if (tensor.num_experts == 0 || tensor.expert < 0) {
      tensors.push_back(std::move(tensor));
      continue;
    }
    if (tensor.shape.ndim() == max_ndim) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("model.experts = \"stacked\": '{}' has {} dimensions already, the "
                               "limit is {}",
                               tensor.fqn, tensor.shape.ndim(), max_ndim)};
    }
    const std::string name = stacked_name(tensor);
    const Dims shape = with_experts(tensor);
    // The first expert seen becomes the stack and keeps its place; the others only have to agree.
    const auto [stack, is_new] = stack_of.emplace(name, tensors.size());
    if (!is_new) {
      const TensorSpec& other = tensors[stack->second];
      if (other.shape != shape || other.dtype != tensor.dtype) {
        return Error{ErrorCode::invalid_argument,
                     fmt::format("model.experts = \"stacked\": '{}' is {} {}, other experts of "
                                 "that weight differ",
                                 tensor.fqn, dtype_name(tensor.dtype), to_string(tensor.shape))};
      }
      continue;
    }
    tensor.fqn = name;
    tensor.shape = shape;
    tensor.expert = -1;
    tensor.tp_cut = behind_experts(tensor.tp_cut);
    tensors.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    // Afterwards, since a tensor of that name may stand behind the experts.
    if (const auto taken = stack_of.find(tensors[i].fqn);
        taken != stack_of.end() && taken->second != i) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("model.experts = \"stacked\": the stack '{}' has the name of another "
                      "tensor",
                      tensors[i].fqn)};
    }
  }
  model.tensors = std::move(tensors);
  return {};
}

std::int64_t num_elements(const std::vector<TensorSpec>& tensors) noexcept {
  std::int64_t sum = 0;
  for (const TensorSpec& tensor : tensors) {
    sum += volume(tensor.shape);
  }
  return sum;
}

std::int64_t num_bytes(const std::vector<TensorSpec>& tensors) noexcept {
  std::int64_t sum = 0;
  for (const TensorSpec& tensor : tensors) {
    sum += volume(tensor.shape) * element_size(tensor.dtype);
  }
  return sum;
}

std::int64_t num_bytes_with_optimizer(const Model& model) noexcept {
  const auto states = num_states(model.optimizer);
  return num_bytes(model.tensors) +
         num_trained_elements(model) * states * element_size(Dtype::float32);
}

Status check_size(const Model& model) {
  const auto states = num_states(model.optimizer);
  std::int64_t sum = 0;
  for (const TensorSpec& tensor : model.tensors) {
    // Every sum of bytes later is one of these: checked once, here.
    const std::int64_t per_element =
        element_size(tensor.dtype) +
        (is_floating(tensor.dtype) ? states * element_size(Dtype::float32) : 0);
    const auto elements = checked_volume(tensor.shape);
    std::int64_t bytes = 0;
    if (!elements || __builtin_mul_overflow(*elements, per_element, &bytes) ||
        __builtin_add_overflow(sum, bytes, &sum)) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("model '{}' takes more than 2^63 - 1 bytes from tensor '{}' on",
                               model.name, tensor.fqn)};
    }
  }
  return {};
}

}  // namespace shardmark
