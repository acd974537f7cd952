// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "shardmark/core/dims.hpp"
#include "shardmark/workload/model.hpp"

namespace shardmark {

/// What tensor parallelism does to a tensor of a published name.
struct TensorRole {
  TpCut matrix = TpCut::none;      // two dimensions or more
  TpCut vector = TpCut::none;      // one: a bias
  bool holds_experts = false;      // all of a layer, stacked along dimension 0
  bool may_be_transposed = false;  // GPT-2's weights are [in, out], others' of the name [out, in]

  TpCut cut_of(const Dims& shape, bool is_transposed) const noexcept;
};

/// Local. By the table of names; nullopt for a name that is not in it.
std::optional<TensorRole> tensor_role(std::string_view fqn, const Dims& shape) noexcept;

/// Local. Whether a model's weights that may be transposed are: seen from one that makes more of
/// less, as attention's c_attn and the MLP's c_fc do.
bool shows_transposed_weights(std::string_view fqn, const Dims& shape) noexcept;

/// Local. Whether `part` stands in `name`, as "mlp.fc1" in "h.0.mlp.fc1.bias".
bool has_part(std::string_view name, std::string_view part) noexcept;

}  // namespace shardmark
