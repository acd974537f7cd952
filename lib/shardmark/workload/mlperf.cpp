// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Model make_mlperf(const LlamaShape& shape) {
  Model model = make_llama(shape);
  model.pooled_optimizer = true;
  return model;
}

}  // namespace shardmark
