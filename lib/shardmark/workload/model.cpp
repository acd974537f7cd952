// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/model.hpp"

#include <algorithm>
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

}  // namespace

std::vector<TensorSpec> optimizer_tensors(const Model& model) {
  const auto states = states_of(model.optimizer);
  std::vector<TensorSpec> tensors;
  if (model.pooled_optimizer) {
    for (const std::string_view state : states) {
      TensorSpec pool;
      pool.fqn = "optimizer.state.pool." + std::string(state);
      pool.dtype = Dtype::float32;
      pool.shape = {num_elements(model.tensors)};
      pool.optimizer_state = true;
      pool.world_pool = true;
      tensors.push_back(std::move(pool));
    }
    return tensors;
  }
  tensors.reserve(model.tensors.size() * states.size());
  for (const TensorSpec& parameter : model.tensors) {
    for (const std::string_view state : states) {
      TensorSpec tensor = parameter;
      tensor.fqn = "optimizer.state." + parameter.fqn + "." + std::string(state);
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

void stack_experts(Model& model) {
  std::vector<TensorSpec> tensors;
  for (TensorSpec& tensor : model.tensors) {
    if (tensor.num_experts == 0 || tensor.expert < 0) {
      tensors.push_back(std::move(tensor));
      continue;
    }
    if (tensor.expert > 0) {
      continue;
    }
    const std::string part = ".experts.0.";
    tensor.fqn.replace(tensor.fqn.find(part), part.size(), ".experts.");
    Dims stacked = Dims::filled(tensor.shape.ndim() + 1, tensor.num_experts);
    std::copy(tensor.shape.begin(), tensor.shape.end(), stacked.begin() + 1);
    tensor.shape = stacked;
    tensor.expert = -1;
    tensor.tp_cut = tensor.tp_cut == TpCut::dim_0   ? TpCut::dim_1
                    : tensor.tp_cut == TpCut::dim_1 ? TpCut::dim_2
                                                    : TpCut::none;
    tensors.push_back(std::move(tensor));
  }
  model.tensors = std::move(tensors);
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
  const auto states = static_cast<std::int64_t>(states_of(model.optimizer).size());
  return num_bytes(model.tensors) +
         num_elements(model.tensors) * states * element_size(Dtype::float32);
}

}  // namespace shardmark
