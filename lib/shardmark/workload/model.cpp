// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/model.hpp"

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
