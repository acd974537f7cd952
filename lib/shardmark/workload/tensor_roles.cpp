// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/tensor_roles.hpp"

#include <algorithm>

namespace shardmark {
namespace {

// Column-parallel weights are [out, in] and have a bias of out; row-parallel ones add up over
// ranks, so that their bias is whole. Embeddings are cut over the vocabulary.
constexpr TensorRole column{TpCut::dim_0, TpCut::dim_0};
constexpr TensorRole row{TpCut::dim_1, TpCut::none};
constexpr TensorRole whole{};
constexpr TensorRole conv1d_column{TpCut::dim_0, TpCut::dim_0, false, true};
constexpr TensorRole conv1d_row{TpCut::dim_1, TpCut::none, false, true};

constexpr TensorRole experts_cut(TpCut cut) {
  return {cut, TpCut::none, true};
}

struct NamedRole {
  std::string_view part;
  TensorRole role;
};

// What is more particular stands first. Families in brackets are those that have the name.
constexpr NamedRole parts[] = {
    // Stacked experts: gpt-oss and Llama 4 [experts, in, out]; blocks and scales of MXFP4, and what
    // ends in .weight or is called w1 to w3, [experts, out, in].
    {"experts.gate_up_proj.weight", experts_cut(TpCut::dim_1)},
    {"experts.gate_proj.weight", experts_cut(TpCut::dim_1)},
    {"experts.up_proj.weight", experts_cut(TpCut::dim_1)},
    {"experts.down_proj.weight", experts_cut(TpCut::dim_2)},
    {"experts.gate_up_proj", experts_cut(TpCut::dim_2)},
    {"experts.gate_up_proj_bias", experts_cut(TpCut::dim_1)},
    {"experts.gate_up_proj_blocks", experts_cut(TpCut::dim_1)},
    {"experts.gate_up_proj_scales", experts_cut(TpCut::dim_1)},
    {"experts.down_proj", experts_cut(TpCut::dim_1)},
    {"experts.down_proj_bias", experts_cut(TpCut::none)},
    {"experts.down_proj_blocks", experts_cut(TpCut::dim_2)},
    {"experts.down_proj_scales", experts_cut(TpCut::dim_2)},
    {"experts.w1", experts_cut(TpCut::dim_1)},
    {"experts.w3", experts_cut(TpCut::dim_1)},
    {"experts.w2", experts_cut(TpCut::dim_2)},
    // Attention.
    {"q_proj", column},
    {"k_proj", column},
    {"v_proj", column},
    {"o_proj", row},
    {"out_proj", row},     // OPT, Gemma's vision tower
    {"qkv_proj", column},  // Phi-3
    {"sinks", column},     // gpt-oss: one a head
    {"q_b_proj", column},  // DeepSeek: low rank, whole, then one matrix a head
    {"kv_b_proj", column},
    {"q_a_proj", whole},
    {"kv_a_proj_with_mqa", whole},
    {"indexer", whole},
    {"query_key_value", column},    // Falcon, BLOOM, GPT-NeoX
    {"self_attention.dense", row},  // Falcon, BLOOM
    {"attention.dense", row},       // GPT-NeoX
    {"self_attn.dense", row},       // Phi
    {"attn.qkv", column},           // vision towers of Qwen
    {"attn.proj", row},
    {"c_attn", conv1d_column},  // GPT-2; Qwen's first generation
    {"q_attn", conv1d_column},
    {"attn.bias", whole},  // GPT-2: the causal mask
    {"attn.masked_bias", whole},
    {"attention.wq", column},  // Llama as Meta and TorchTitan name it
    {"attention.wk", column},
    {"attention.wv", column},
    {"attention.wo", row},
    {"linear_qkv", column},  // Megatron-Core
    {"linear_proj", row},
    // MLP and experts by themselves.
    {"gate_proj", column},
    {"up_proj", column},
    {"down_proj", row},
    {"gate_up_proj", column},  // Phi-3
    {"mlp.w2", column},        // Qwen's first generation, whose last matrix is c_proj
    {"w1", column},
    {"w3", column},
    {"w2", row},
    {"c_fc", conv1d_column},  // GPT-2, StarCoder
    {"c_proj", conv1d_row},
    {"fc1", column},  // OPT
    {"fc2", row},
    {"linear_fc1", column},  // Megatron-Core
    {"linear_fc2", row},
    {"dense_h_to_4h", column},  // Falcon, BLOOM, GPT-NeoX
    {"dense_4h_to_h", row},
    // Routers.
    {"gate", whole},                // Mixtral, Qwen, DeepSeek
    {"router", whole},              // gpt-oss, Llama 4
    {"shared_expert_gate", whole},  // Qwen
    // Embeddings and heads.
    {"embed_tokens", column},
    {"lm_head", column},
    {"wte", column},              // GPT-2
    {"word_embeddings", column},  // Falcon, BLOOM, Megatron-Core
    {"tok_embeddings", column},   // Llama as Meta and TorchTitan name it
    {"embed_in", column},         // GPT-NeoX
    {"embed_out", column},
    {"shared_head.head", column},  // DeepSeek's prediction of further tokens
    {"eh_proj", whole},
    {"output_layer", column},    // Megatron-Core
    {"wpe", whole},              // GPT-2
    {"embed_positions", whole},  // OPT
    {"position_embeddings", whole},
    {"project_in", whole},  // OPT-350m
    {"project_out", whole},
    {"rotary_emb", whole},
};

// Within any part of a vector's name: it is small, and whole everywhere.
constexpr std::string_view whole_words[] = {"norm", "Norm", "ln_"};

// The whole of a name but for its .weight or .bias.
constexpr NamedRole full_names[] = {{"output", column}};  // Llama as Meta and TorchTitan name it

std::string_view without_kind(std::string_view fqn) noexcept {
  return fqn.substr(0, std::min(fqn.rfind('.'), fqn.size()));
}

}  // namespace

bool has_part(std::string_view name, std::string_view part) noexcept {
  for (std::size_t at = name.find(part); at != std::string_view::npos;
       at = name.find(part, at + 1)) {
    if ((at == 0 || name[at - 1] == '.') &&
        (at + part.size() == name.size() || name[at + part.size()] == '.')) {
      return true;
    }
  }
  return false;
}

TpCut TensorRole::cut_of(const Dims& shape, bool is_transposed) const noexcept {
  if (shape.ndim() < 2) {
    return shape.empty() ? TpCut::none : vector;
  }
  if (may_be_transposed && is_transposed) {
    return matrix == TpCut::dim_0 ? TpCut::dim_1 : TpCut::dim_0;
  }
  return matrix;
}

std::optional<TensorRole> tensor_role(std::string_view fqn, const Dims& shape) noexcept {
  const auto* const by_part = std::ranges::find_if(
      parts, [&](const NamedRole& named) { return has_part(fqn, named.part); });
  if (by_part != std::end(parts)) {
    return by_part->role;
  }
  const auto in_name = [&](std::string_view word) {
    return fqn.find(word) != std::string_view::npos;
  };
  if (shape.ndim() < 2 && std::ranges::any_of(whole_words, in_name)) {
    return whole;
  }
  const auto* const by_name = std::ranges::find(full_names, without_kind(fqn), &NamedRole::part);
  return by_name == std::end(full_names) ? std::nullopt : std::optional(by_name->role);
}

bool shows_transposed_weights(std::string_view fqn, const Dims& shape) noexcept {
  return shape.ndim() == 2 && shape[1] > shape[0] &&
         (has_part(fqn, "c_attn") || has_part(fqn, "c_fc"));
}

}  // namespace shardmark
