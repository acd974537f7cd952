// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Model make_mlperf(const MlperfShape& shape) {
  Model model = make_llama(shape.base);
  model.pooled_optimizer = true;
  model.layer_split = LayerSplit::even;
  if (shape.norm_copies > 1) {
    const auto norm =
        std::find_if(model.tensors.begin(), model.tensors.end(),
                     [](const TensorSpec& tensor) { return tensor.fqn == "model.norm.weight"; });
    norm->shape = {shape.norm_copies, shape.base.hidden};
    norm->tp_cut = TpCut::dim_0;
  }
  return model;
}

}  // namespace shardmark
