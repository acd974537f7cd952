// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/model.hpp"

namespace shardmark {

/// Hyperparameters of the published models; builders give their tensors under the names, in the
/// order, shapes and dtypes of the Hugging Face checkpoints. `kv_size` is heads x head size of the
/// keys.
struct LlamaShape {
  std::int64_t hidden = 0;
  std::int64_t ffn = 0;
  std::int64_t kv_size = 0;
  std::int64_t vocabulary = 0;
  std::int32_t layers = 0;
};
Model make_llama(const LlamaShape& shape);

struct MixtralShape {
  LlamaShape base;
  std::int64_t experts = 0;
};
Model make_mixtral(const MixtralShape& shape);

/// GPT-2's names with fused q, k, v; the head is the embedding, so it is no tensor of its own.
struct GptShape {
  std::int64_t hidden = 0;
  std::int64_t vocabulary = 0;
  std::int64_t positions = 0;
  std::int32_t layers = 0;
};
Model make_gpt(const GptShape& shape);

/// Multi-head latent attention; without the multi-token-prediction layer and fp8 scales.
struct DeepseekShape {
  std::int64_t hidden = 0;
  std::int64_t vocabulary = 0;
  std::int64_t heads = 0;
  std::int64_t q_rank = 0;
  std::int64_t kv_rank = 0;
  std::int64_t nope_size = 0;  // query and key part without position, per head
  std::int64_t rope_size = 0;  // part with position
  std::int64_t v_size = 0;
  std::int64_t dense_ffn = 0;
  std::int64_t expert_ffn = 0;
  std::int64_t experts = 0;
  std::int32_t dense_layers = 0;
  std::int32_t layers = 0;
};
Model make_deepseek(const DeepseekShape& shape);

/// A few MB with every awkward shape and name and all dtypes.
Model make_tiny();

/// 20,000 tensors of 4 to 64 KiB, 680 MB: what many small pieces cost.
Model make_many_small();

/// 2 GiB in 128 square matrices that tensor parallelism cuts by columns and fsdp by rows.
Model make_square_linear();

/// An HPC state: large dense float64 matrices and vectors, `matrix.<i>` and `vector.<i>` in the
/// order of the list, no optimizer. `sizes`: "8192x8192,4096x512,8192". Errors: invalid_argument,
/// naming model.matrix_sizes.
Result<Model> make_matrix(std::string_view sizes);

/// A Llama as MLPerf Storage's checkpoint workloads write it: the optimizer keeps flat pools,
/// layers are dealt evenly to pipeline stages. With ZeRO-1 each of `norm_copies` tensor-parallel
/// ranks writes a final norm of its own, so here that tensor has as many rows.
struct MlperfShape {
  LlamaShape base;
  std::int64_t norm_copies = 1;
};
Model make_mlperf(const MlperfShape& shape);

}  // namespace shardmark
