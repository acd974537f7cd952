// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/catalog.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "shardmark/core/nearest_name.hpp"
#include "shardmark/workload/model_families.hpp"
#include "shardmark/workload/safetensors_model.hpp"

namespace shardmark {
namespace {

// Hyperparameters: the config.json of each model's Hugging Face repository; GPT-3 from its paper's
// table 2.1; MLPerf's from its Storage benchmark's published configurations.
constexpr LlamaShape llama3_8b{
    .hidden = 4096, .ffn = 14336, .kv_size = 1024, .vocabulary = 128256, .layers = 32};
constexpr LlamaShape llama3_70b{
    .hidden = 8192, .ffn = 28672, .kv_size = 1024, .vocabulary = 128256, .layers = 80};
constexpr LlamaShape llama3_405b{
    .hidden = 16384, .ffn = 53248, .kv_size = 1024, .vocabulary = 128256, .layers = 126};
constexpr MixtralShape mixtral_8x7b{
    .base = {.hidden = 4096, .ffn = 14336, .kv_size = 1024, .vocabulary = 32000, .layers = 32},
    .experts = 8};
constexpr GptShape gpt3_175b{.hidden = 12288, .vocabulary = 50257, .positions = 2048, .layers = 96};
constexpr DeepseekShape deepseek_v3{.hidden = 7168,
                                    .vocabulary = 129280,
                                    .heads = 128,
                                    .q_rank = 1536,
                                    .kv_rank = 512,
                                    .nope_size = 128,
                                    .rope_size = 64,
                                    .v_size = 128,
                                    .dense_ffn = 18432,
                                    .expert_ffn = 2048,
                                    .experts = 256,
                                    .dense_layers = 3,
                                    .layers = 61};
constexpr MlperfShape mlperf_8b{.base = llama3_8b};
constexpr MlperfShape mlperf_70b{
    .base = {.hidden = 8192, .ffn = 28672, .kv_size = 512, .vocabulary = 128256, .layers = 80}};
constexpr MlperfShape mlperf_405b{.base = llama3_405b, .norm_copies = 8};
constexpr MlperfShape mlperf_1t{
    .base = {.hidden = 25872, .ffn = 98304, .kv_size = 4312, .vocabulary = 128256, .layers = 128},
    .norm_copies = 8};

struct CatalogEntry {
  std::string_view name;
  Model (*make)();  // null: made from options
};

constexpr std::array<CatalogEntry, 14> catalog = {{
    {"tiny", make_tiny},
    {"llama3-8b", [] { return make_llama(llama3_8b); }},
    {"llama3-70b", [] { return make_llama(llama3_70b); }},
    {"llama3-405b", [] { return make_llama(llama3_405b); }},
    {"mixtral-8x7b", [] { return make_mixtral(mixtral_8x7b); }},
    {"gpt3-175b", [] { return make_gpt(gpt3_175b); }},
    {"deepseek-v3", [] { return make_deepseek(deepseek_v3); }},
    {"mlperf-8b", [] { return make_mlperf(mlperf_8b); }},
    {"mlperf-70b", [] { return make_mlperf(mlperf_70b); }},
    {"mlperf-405b", [] { return make_mlperf(mlperf_405b); }},
    {"mlperf-1t", [] { return make_mlperf(mlperf_1t); }},
    {"many-small", make_many_small},
    {"square-linear", make_square_linear},
    {"matrix", nullptr},
}};

constexpr auto catalog_names = [] {
  std::array<std::string_view, catalog.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = catalog[i].name;
  }
  return names;
}();

}  // namespace

std::span<const std::string_view> model_names() noexcept {
  return catalog_names;
}

Result<Optimizer> parse_optimizer(std::string_view name) {
  if (name == "none") {
    return Optimizer::none;
  }
  if (name == "adamw") {
    return Optimizer::adamw;
  }
  if (name == "sgd-momentum") {
    return Optimizer::sgd_momentum;
  }
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("model.optimizer '{}': expected one of none, adamw, sgd-momentum", name)};
}

namespace {

Result<Model> named_model(const ModelOptions& options) {
  if (!options.safetensors.empty()) {
    auto model = read_safetensors_model(options.safetensors);
    if (!model) {
      return Error{model.error().code, "model.safetensors: " + model.error().message};
    }
    model->name = options.name;
    return model;
  }
  const auto* const entry =
      std::find_if(catalog.begin(), catalog.end(),
                   [&](const CatalogEntry& e) { return e.name == options.name; });
  if (entry == catalog.end()) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("model.name '{}' is not in the catalog: {}{}", options.name,
                    fmt::join(catalog_names, ", "), did_you_mean(options.name, catalog_names))};
  }
  Model model;
  if (entry->make == nullptr) {
    SHARDMARK_ASSIGN_OR_RETURN(model, make_matrix(options.matrix_sizes));
  } else {
    model = entry->make();
  }
  model.name = entry->name;
  return model;
}

}  // namespace

Result<Model> make_model(const ModelOptions& options) {
  SHARDMARK_ASSIGN_OR_RETURN(Model model, named_model(options));
  SHARDMARK_ASSIGN_OR_RETURN(model.optimizer, parse_optimizer(options.optimizer));
  if (options.safetensors.empty() && options.name == "matrix") {
    model.optimizer = Optimizer::none;  // nothing trains it
  }
  if (options.dtype) {
    for (TensorSpec& tensor : model.tensors) {
      tensor.dtype = *options.dtype;
      tensor.published_dtype.clear();
    }
  }
  SHARDMARK_RETURN_IF_ERROR(check_size(model));
  if (options.scale) {
    SHARDMARK_ASSIGN_OR_RETURN(model, scaled(model, *options.scale));
  }
  if (options.stacked_experts) {
    SHARDMARK_RETURN_IF_ERROR(stack_experts(model));
  }
  return model;
}

}  // namespace shardmark
