// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/model.hpp"

namespace shardmark {

struct ModelOptions {
  std::string name;
  std::optional<double> scale;  // in (0, 1]: about this share of all bytes, see scaled()
  std::optional<Dtype> dtype;   // of all parameters; default: each tensor's own
  std::string optimizer = "adamw";
  std::string safetensors = {};                           // a file or index; replaces `name`
  std::string matrix_sizes = "8192x8192,8192x8192,8192";  // of the model `matrix`
  bool stacked_experts = false;                           // one tensor a weight of all experts
  std::string job = {};  // a job file; replaces model and strategy, see Workload::make()
};

/// Local. The catalog's names, small models first.
std::span<const std::string_view> model_names() noexcept;

/// Local. Errors: invalid_argument for an unknown name or optimizer, or a scale that cannot be met;
/// those of read_safetensors_model() and make_matrix().
Result<Model> make_model(const ModelOptions& options);

/// Local. none, adamw, sgd-momentum. Errors: invalid_argument, listing them.
Result<Optimizer> parse_optimizer(std::string_view name);

/// Local. The same names and structure at about `share` (in (0, 1]) of the bytes, optimizer
/// included: every extent above 8 shrinks by one factor, equal extents alike; large multiples of 8
/// stay multiples of 8; numbers of experts stay. Errors: invalid_argument if no factor comes within
/// 10 %, naming the nearest possible share.
Result<Model> scaled(const Model& model, double share);

}  // namespace shardmark
