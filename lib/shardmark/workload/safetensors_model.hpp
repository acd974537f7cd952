// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/model.hpp"
#include "shardmark/workload/safetensors_header.hpp"

namespace shardmark {

/// Local. A model with the names, shapes and dtypes of a safetensors file, of all files that a
/// `.index.json` names, which lie beside it, or of a folder of them. Headers only. An index
/// selects: what else its files hold is left out and noted. A dtype without a name here is held as
/// unsigned integers of its width. Layers, experts and tensor-parallel cuts come from the usual
/// names (`layers.3.`, `experts.7.`, `q_proj`, `down_proj`, ...); what has none of them is cut by
/// none. Errors: not_found for a missing file; invalid_argument, naming the file, for one that
/// breaks its format or an index that does not fit its files.
Result<Model> read_safetensors_model(const std::string& path);

/// Local. The tensors of that model, and where each one's bytes lie. Errors: the same.
Result<std::vector<SafetensorsEntry>> read_safetensors_entries(const std::string& path);

}  // namespace shardmark
